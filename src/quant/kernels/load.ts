import { readFileSync } from "node:fs";
import { bug } from "../../error.ts";

/** What is used of WebAssembly: neither Node's types nor the standard library's describe it without a browser's. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** The quantizer's WebAssembly kernels (assembly/); what each argument means stands at the function's source. */
export interface RoundingKernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  codeSums(...args: number[]): void;
  errors(...args: number[]): void;
  roundRows(...args: number[]): void;
  sweep(...args: number[]): void;
}

/** Where the kernels' own static data ends at the latest. */
const FIRST_ADDRESS = 65536;
const PAGE = 65536;

let shared: RoundingKernels | undefined;

/** The thread's instance: kernels keep nothing between calls. */
export function roundingKernels(): RoundingKernels {
  if (shared) return shared;
  const compiled = new WebAssembly.Module(readFileSync(new URL("./kernels.wasm", import.meta.url)));
  const { exports } = new WebAssembly.Instance(compiled);
  if (!("memory" in exports)) bug("kernels.wasm exports no memory");
  shared = exports as unknown as RoundingKernels;
  return shared;
}

/** Places for `sizes` bytes each, one after the other and 16-byte aligned; the memory grows to hold them. */
export function placesFor({ memory }: RoundingKernels, sizes: readonly number[]): number[] {
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
