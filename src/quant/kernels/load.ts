import { type KernelMemory, kernelsOf } from "../../run/wasm.ts";

/** The quantizer's WebAssembly kernels (assembly/); what each argument means stands at the function's source. */
export interface RoundingKernels {
  readonly memory: KernelMemory;
  codeSums(...args: number[]): void;
  errors(...args: number[]): void;
  roundRows(...args: number[]): void;
  sweep(...args: number[]): void;
}

const instantiate = kernelsOf<RoundingKernels>(new URL("./kernels.wasm", import.meta.url));
let shared: RoundingKernels | undefined;

/** The thread's instance. */
export function roundingKernels(): RoundingKernels {
  shared ??= instantiate();
  return shared;
}
