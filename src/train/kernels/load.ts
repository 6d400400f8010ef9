import { type KernelMemory, kernelsOf, placesFor } from "../../run/wasm.ts";

interface Kernels {
  readonly memory: KernelMemory;
  adamW(...args: number[]): void;
  addDivided(...args: number[]): void;
  addSquares(...args: number[]): void;
  scale(...args: number[]): void;
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
  /** What each gradient is multiplied by before all else, in double. */
  readonly factor: number;
}

/** Weights, gradients, means and squares: of one length. */
export type AdamWArrays = readonly [Float32Array, Float32Array, Float32Array, Float32Array];

/** So many numbers of each array lie in the kernel's memory at a time: they stay in a core's cache. */
const AT_ONCE = 4096;
/** Room for what a kernel keeps from one part of the arrays to the next. */
const BESIDE = 32;
const instantiate = kernelsOf<Kernels>(new URL("./kernels.wasm", import.meta.url));
let shared: Kernels | undefined;

/** The thread's instance. */
function kernels(): Kernels {
  shared ??= instantiate();
  return shared;
}

/**
 * Runs a kernel over arrays of one length, some numbers of each at a time. It is given where they lie in its memory, and how
 * many; what is then in the place of an array goes to the one that `results` has for it, if it has one. Behind the arrays'
 * places is one of four doubles, zeros at first: what is there in the end.
 */
function overParts(
  arrays: readonly Float32Array[],
  results: readonly (Float32Array | undefined)[],
  run: (kernel: Kernels, places: readonly number[], count: number) => void,
): Float64Array {
  const kernel = kernels();
  const places = placesFor(kernel, [...arrays.map(() => 4 * AT_ONCE), BESIDE]);
  const inside = arrays.map((_, index) => new Float32Array(kernel.memory.buffer, places[index], AT_ONCE));
  const beside = new Float64Array(kernel.memory.buffer, places[arrays.length], BESIDE / 8).fill(0);
  const [{ length }] = arrays;
  for (let at = 0; at < length; at += AT_ONCE) {
    const count = Math.min(AT_ONCE, length - at);
    for (const [index, array] of arrays.entries()) inside[index].set(array.subarray(at, at + count));
    run(kernel, places, count);
    for (const [index, result] of results.entries()) result?.set(inside[index].subarray(0, count), at);
  }
  return beside;
}

/** One step of AdamW: changes weights, means and squares in place. Lanes of plain float32, so the same bits on every machine. */
export function adamW(arrays: AdamWArrays, numbers: AdamWNumbers): void {
  const { first, second, shrink, scale, spread, epsilon, factor } = numbers;
  overParts(
    arrays,
    [arrays[0], undefined, arrays[2], arrays[3]],
    (kernel, [weights, gradients, means, squares], count) => {
      if (factor !== 1) kernel.scale(gradients, count, factor);
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
  /** What each gradient is multiplied by before all else, in double. */
  readonly factor: number;
}

/** One step of SGD: changes weights and speeds in place. Lanes of doubles, the same bits everywhere. */
export function sgd(arrays: readonly [Float32Array, Float32Array, Float32Array], numbers: SgdNumbers): void {
  const { momentum, decay, rate, nesterov, factor } = numbers;
  overParts(arrays, [arrays[0], undefined, arrays[2]], (kernel, [weights, gradients, speeds], count) => {
    if (factor !== 1) kernel.scale(gradients, count, factor);
    kernel.sgd(weights, gradients, speeds, count, momentum, decay, rate, nesterov ? 1 : 0);
  });
}

/**
 * Adds all other arrays to the first one, in their order, and divides the last sum, in float32, rounded after each; an array
 * alone stays what it is. Gives the sum of the squares of what the first one then holds, in double: that of four sums
 * side by side, since a single one would wait for each of its additions.
 */
export function addAll(arrays: readonly Float32Array[], divisor: number): number {
  const last = arrays.length - 1;
  const [a, b, c, d] = overParts(arrays, last > 0 ? arrays.slice(0, 1) : [], (kernel, places, count) => {
    for (let at = 1; at <= last; at++) kernel.addDivided(places[0], places[at], count, at < last ? 1 : divisor);
    kernel.addSquares(places[0], count, places[arrays.length]);
  });
  return a + b + (c + d);
}
