import { kernelsOf, placesFor, type SharedMemory, sharedMemory } from "../../run/wasm.ts";

interface Kernels {
  readonly memory: SharedMemory;
  adamW(...args: number[]): void;
  addDivided(...args: number[]): void;
  addSquares(...args: number[]): void;
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

/** Kernels on the memory that arrays lie in, each from a multiple of 64 bytes to the next one, where they can be worked on. */
export interface Within {
  readonly kernels: Kernels;
  /** Four numbers in that memory which are the caller's own. */
  readonly sums: Float64Array;
}

/** So many numbers of each array are worked on at a time: they stay in a core's cache. */
const AT_ONCE = 4096;
const SUMS = 4;
const instantiate = kernelsOf<Kernels>(new URL("./kernels.wasm", import.meta.url));
let own: Kernels | undefined;

/** The kernels on a memory that threads share. */
export function kernelsOn(memory: SharedMemory): Kernels {
  return instantiate(memory);
}

/**
 * Runs a kernel over arrays of one length, some numbers of each at a time, which are copied to the thread's own memory unless it is
 * `within` the arrays'. It is given where they lie, and how many; what is then in the place of an array goes to the one that
 * `results` has for it, if it has one. Behind the arrays' places is one of four doubles, zeros at first: what is there in the end.
 */
function overParts(
  arrays: readonly Float32Array[],
  results: readonly (Float32Array | undefined)[],
  run: (kernel: Kernels, places: readonly number[], count: number) => void,
  within?: Within,
): Float64Array {
  const [{ length }] = arrays;
  if (within) {
    const { kernels, sums } = within;
    const places = [...arrays, sums.fill(0)].map(({ byteOffset }) => byteOffset);
    for (let at = 0; at < length; at += AT_ONCE) {
      run(kernels, places, Math.min(AT_ONCE, length - at));
      for (let index = 0; index < arrays.length; index++) places[index] += 4 * AT_ONCE;
    }
    return sums;
  }
  own ??= instantiate(sharedMemory());
  const places = placesFor(own, [...arrays.map(() => 4 * AT_ONCE), 8 * SUMS]);
  const { buffer } = own.memory;
  const inside = arrays.map((_, index) => new Float32Array(buffer, places[index], AT_ONCE));
  const sums = new Float64Array(buffer, places[arrays.length], SUMS).fill(0);
  for (let at = 0; at < length; at += AT_ONCE) {
    const count = Math.min(AT_ONCE, length - at);
    for (const [index, array] of arrays.entries()) inside[index].set(array.subarray(at, at + count));
    run(own, places, count);
    for (const [index, result] of results.entries()) result?.set(inside[index].subarray(0, count), at);
  }
  return sums;
}

/** One step of AdamW: changes weights, means and squares in place. Lanes of plain float32, so the same bits on every machine. */
export function adamW(arrays: AdamWArrays, numbers: AdamWNumbers, within?: Within): void {
  const { first, second, shrink, scale, spread, epsilon, factor } = numbers;
  overParts(
    arrays,
    [arrays[0], undefined, arrays[2], arrays[3]],
    (kernel, [weights, gradients, means, squares], count) => {
      kernel.adamW(weights, gradients, means, squares, count, first, second, shrink, scale, spread, epsilon, factor);
    },
    within,
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
export function sgd(
  arrays: readonly [Float32Array, Float32Array, Float32Array],
  { momentum, decay, rate, nesterov, factor }: SgdNumbers,
  within?: Within,
): void {
  overParts(
    arrays,
    [arrays[0], undefined, arrays[2]],
    (kernel, [weights, gradients, speeds], count) => {
      kernel.sgd(weights, gradients, speeds, count, momentum, decay, rate, nesterov ? 1 : 0, factor);
    },
    within,
  );
}

/**
 * Adds all other arrays to the first one, in their order, and divides the last sum, in float32, rounded after each; an array
 * alone stays what it is. Gives the sum of the squares of what the first one then holds, in double: that of four sums
 * side by side, since a single one would wait for each of its additions.
 */
export function addAll(arrays: readonly Float32Array[], divisor: number, within?: Within): number {
  const last = arrays.length - 1;
  const [a, b, c, d] = overParts(
    arrays,
    last > 0 ? arrays.slice(0, 1) : [],
    (kernel, places, count) => {
      for (let at = 1; at <= last; at++) kernel.addDivided(places[0], places[at], count, at < last ? 1 : divisor);
      kernel.addSquares(places[0], count, places[arrays.length]);
    },
    within,
  );
  return a + b + (c + d);
}
