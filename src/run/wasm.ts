/** WebAssembly kernels, built from the assembly/ beside a kernels.wasm. They keep nothing between calls. */
import { readFileSync } from "node:fs";
import { bug } from "../error.ts";

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

/** What every kernels.wasm exports beside its functions. */
export interface WithMemory {
  readonly memory: KernelMemory;
}

/** Where the kernels' own static data ends at the latest. */
export const FIRST_ADDRESS = 65536;
const PAGE = 65536;

/** The module of a file, compiled when first asked for; each call of what this gives is a fresh instance with a memory of its own. */
export function kernelsOf<Kernels extends WithMemory>(file: URL): () => Kernels {
  let compiled: object | undefined;
  return () => {
    compiled ??= new WebAssembly.Module(readFileSync(file));
    const { exports } = new WebAssembly.Instance(compiled);
    if (!("memory" in exports)) bug("kernels.wasm exports no memory");
    return exports as unknown as Kernels;
  };
}

/** Places for `sizes` bytes each, one after the other and 16-byte aligned; the memory grows to hold them. */
export function placesFor({ memory }: WithMemory, sizes: readonly number[]): number[] {
  let end = FIRST_ADDRESS;
  const places = sizes.map((size) => {
    const place = end;
    end = Math.ceil((end + size) / 16) * 16;
    return place;
  });
  const missing = end - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
  return places;
}
