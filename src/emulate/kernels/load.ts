import { type KernelMemory, kernelsOf } from "../../run/wasm.ts";

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

/** A fresh instance with a memory of its own. */
export const instantiateKernels = kernelsOf<Kernels>(new URL("./kernels.wasm", import.meta.url));
