/** WebAssembly kernels, built from the assembly/ beside a kernels.wasm. They keep nothing between calls. */
import { readFileSync } from "node:fs";
import { bug } from "../error.ts";

/** What is used of WebAssembly: neither Node's types nor the standard library's describe it without a browser's. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports?: { readonly env: { readonly memory: SharedMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly Memory: new (sizes: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => SharedMemory;
};

/** Grows by pages of 64 KiB; `buffer` is another one after growth. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** The same for threads that share it. After growth, what was made on the `buffer` before stays where it is. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

/** What every kernels.wasm exports beside its functions. */
export interface WithMemory {
  readonly memory: KernelMemory | SharedMemory;
}

/** Where the kernels' own static data ends at the latest. */
export const FIRST_ADDRESS = 65536;
const PAGE = 65536;
const MOST_PAGES = 65536;

/** What a memory can hold that kernels address with 32 bits, the kernels' own static data apart. */
export const MOST_BYTES = MOST_PAGES * PAGE - FIRST_ADDRESS;

/** A memory that threads can share, for kernels that are built for one. */
export function sharedMemory(): SharedMemory {
  return new WebAssembly.Memory({ initial: FIRST_ADDRESS / PAGE, maximum: MOST_PAGES, shared: true });
}

/** Room for so many bytes behind all that the memory has; where it begins. */
export function grownBy(memory: SharedMemory, bytes: number): number {
  return PAGE * memory.grow(Math.ceil(bytes / PAGE));
}

/**
 * The module of a file, compiled when first asked for; each call of what this gives is a fresh instance, with a memory of its own
 * or, where the module is built so, on the one that it is given.
 */
export function kernelsOf<Kernels extends WithMemory>(file: URL): (memory?: SharedMemory) => Kernels {
  let compiled: object | undefined;
  return (memory) => {
    compiled ??= new WebAssembly.Module(readFileSync(file));
    const { exports } = new WebAssembly.Instance(compiled, memory && { env: { memory } });
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
