import { type KernelMemory, kernelsOf, placesFor } from "../../run/wasm.ts";

interface Kernels {
  readonly memory: KernelMemory;
  adamW(...args: number[]): void;
  addDivided(...args: number[]): void;
  sgd(...args: number[]): void;
}

/** The numbers of a step that do not change from weight to weight but for `shrink`: see assembly/adam-w.ts. */
export interface AdamWNumbers {
  readonly first: number;
  readonly second: number;
  readonly shrink: number;
  readonly scale: number;
  readonly spread: number;
  readonly epsilon: number;
}

/** Weights, gradients, means and squares: of one length. */
export type AdamWArrays = readonly [Float32Array, Float32Array, Float32Array, Float32Array];

/** So many numbers of each array lie in the kernel's memory at a time: they stay in a core's cache. */
const AT_ONCE = 4096;
const instantiate = kernelsOf<Kernels>(new URL("./kernels.wasm", import.meta.url));
let shared: Kernels | undefined;

/** The thread's instance. */
function kernels(): Kernels {
  shared ??= instantiate();
  return shared;
}

/**
 * Runs a kernel over arrays of one length, some numbers of each at a time. It is given where they lie in its memory, and how
 * many; what is then in the place of an array goes to the one that `results` has for it, if it has one.
 */
function overParts(
  arrays: readonly Float32Array[],
  results: readonly (Float32Array | undefined)[],
  run: (kernel: Kernels, places: readonly number[], count: number) => void,
): void {
  const kernel = kernels();
  const places = placesFor(
    kernel,
    arrays.map(() => 4 * AT_ONCE),
  );
  const inside = places.map((place) => new Float32Array(kernel.memory.buffer, place, AT_ONCE));
  const [{ length }] = arrays;
  for (let at = 0; at < length; at += AT_ONCE) {
    const count = Math.min(AT_ONCE, length - at);
    for (const [index, array] of arrays.entries()) inside[index].set(array.subarray(at, at + count));
    run(kernel, places, count);
    for (const [index, result] of results.entries()) result?.set(inside[index].subarray(0, count), at);
  }
}

/** One step of AdamW: changes weights, means and squares in place. Lanes of plain float32, so the same bits on every machine. */
export function adamW(arrays: AdamWArrays, numbers: AdamWNumbers): void {
  const { first, second, shrink, scale, spread, epsilon } = numbers;
  overParts(
    arrays,
    [arrays[0], undefined, arrays[2], arrays[3]],
    (kernel, [weights, gradients, means, squares], count) => {
      kernel.adamW(weights, gradients, means, squares, count, first, second, shrink, scale, spread, epsilon);
    },
  );
}

/** The numbers of a step: see assembly/sgd.ts. */
export interface SgdNumbers {
  readonly momentum: number;
  readonly decay: number;
  readonly rate: number;
  readonly nesterov: boolean;
}

/** One step of SGD: changes weights and speeds in place. Lanes of doubles, the same bits everywhere. */
export function sgd(arrays: readonly [Float32Array, Float32Array, Float32Array], numbers: SgdNumbers): void {
  const { momentum, decay, rate, nesterov } = numbers;
  overParts(arrays, [arrays[0], undefined, arrays[2]], (kernel, [weights, gradients, speeds], count) => {
    kernel.sgd(weights, gradients, speeds, count, momentum, decay, rate, nesterov ? 1 : 0);
  });
}

/** `(a + b) / divisor`, in float32; the result may be one of them. */
export function addDivided(a: Float32Array, b: Float32Array, divisor: number, result: Float32Array): void {
  overParts([a, b], [result], (kernel, [to, from], count) => kernel.addDivided(to, from, count, divisor));
}
