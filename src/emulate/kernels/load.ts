import { readFileSync } from "node:fs";
import { bug } from "../../error.ts";

/** What is used of WebAssembly: neither Node's types nor the standard library's describe it without a browser's. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** Grows by pages of 64 KiB; `buffer` is another one after growth. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/**
 * The WebAssembly kernels (src/emulate/kernels/assembly), one memory each. Numbers are int32 or byte addresses, booleans 0 or 1;
 * what each argument means stands at the function's source.
 */
export interface Kernels {
  readonly memory: KernelMemory;
  combine(...args: number[]): void;
  extreme(...args: number[]): void;
  lookUp(...args: number[]): void;
  lookUpWide(...args: number[]): void;
  move(...args: number[]): void;
  moveRuns(...args: number[]): void;
  gemmRaw(...args: number[]): void;
  gemmTile(...args: number[]): void;
  depthwise(...args: number[]): void;
  packLeft(...args: number[]): void;
  packRight(...args: number[]): void;
  packWindows(...args: number[]): void;
  padPlanes(...args: number[]): void;
  spreadProducts(...args: number[]): void;
  sumRows(...args: number[]): void;
  postRow(...args: number[]): void;
  postRowPair(...args: number[]): void;
  layerNorm(...args: (number | bigint)[]): void;
  pool(...args: number[]): void;
  reduceGroups(...args: number[]): void;
  rootGroups(...args: number[]): void;
  marginGroups(...args: number[]): void;
  softmax(...args: number[]): void;
}

/** Where the kernels' own static data ends at the latest. */
export const FIRST_ADDRESS = 65536;

let compiled: object | undefined;

/** A fresh instance with a memory of its own. */
export function instantiateKernels(): Kernels {
  compiled ??= new WebAssembly.Module(readFileSync(new URL("./kernels.wasm", import.meta.url)));
  const { exports } = new WebAssembly.Instance(compiled);
  if (!("memory" in exports)) bug("kernels.wasm exports no memory");
  return exports as unknown as Kernels;
}
