/** Views as sets of bytes. */
import type { Operand, Storage } from "../schedule/program.ts";

export const ELEMENT_BYTES: ReadonlyMap<Storage, number> = new Map<Storage, number>([
  ["int8", 1],
  ["uint8", 1],
  ["bool", 1],
  ["int16", 2],
  ["uint16", 2],
  ["float16", 2],
  ["bfloat16", 2],
  ["int32", 4],
  ["uint32", 4],
  ["float32", 4],
  ["int64", 8],
  ["uint64", 8],
  ["float64", 8],
]);

/** Bytes of an element; 8 for a type that does not exist, which the form check refuses. */
export function sizeOf(dtype: Storage): number {
  return ELEMENT_BYTES.get(dtype) ?? 8;
}

export function countOf(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** The first and one past the last byte that a view touches. */
export function extentOf({ address, dtype, shape, strides }: Operand): { low: number; high: number } {
  const size = sizeOf(dtype);
  let [low, high] = [0, 0];
  for (let axis = 0; axis < shape.length; axis++) {
    const reach = (shape[axis] - 1) * strides[axis];
    if (reach < 0) low += reach;
    else high += reach;
  }
  return { low: address + low * size, high: address + (high + 1) * size };
}

/** The bytes of a view: runs of `length` that begin at `start` + Σ i_k·steps_k, 0 ≤ i_k < counts_k. Steps descend. */
export interface Runs {
  readonly start: number;
  readonly length: number;
  readonly counts: readonly number[];
  readonly steps: readonly number[];
}

/**
 * Axes by stride, negative ones turned around; what lies side by side (or on top of each other) becomes one run. A run may
 * be visited more than once where axes of a read overlap, but never a byte that the view has not.
 */
export function runsOf(operand: Operand): Runs {
  const size = sizeOf(operand.dtype);
  const axes: { count: number; step: number }[] = [];
  operand.shape.forEach((count, axis) => {
    const step = Math.abs(operand.strides[axis]) * size;
    if (count > 1 && step > 0) axes.push({ count, step });
  });
  axes.sort((a, b) => a.step - b.step);
  let length = size;
  const [counts, steps]: [number[], number[]] = [[], []];
  for (const { count, step } of axes) {
    const last = counts.length - 1;
    if (last < 0 && step <= length) length += (count - 1) * step;
    else if (last >= 0 && step === counts[last] * steps[last]) counts[last] *= count;
    else {
      counts.push(count);
      steps.push(step);
    }
  }
  return { start: extentOf(operand).low, length, counts: counts.reverse(), steps: steps.reverse() };
}

/** Calls `visit(low, high)` for every run, in the order of the addresses where axes do not interleave. */
export function forEachRun({ start, length, counts, steps }: Runs, visit: (low: number, high: number) => void): void {
  const rank = counts.length;
  if (rank === 0) {
    visit(start, start + length);
    return;
  }
  const inner = rank - 1;
  const index = new Array<number>(inner).fill(0);
  let at = start;
  for (;;) {
    for (let i = 0, low = at; i < counts[inner]; i++, low += steps[inner]) visit(low, low + length);
    let axis = inner - 1;
    for (; axis >= 0; axis--) {
      at += steps[axis];
      if (++index[axis] < counts[axis]) break;
      at -= steps[axis] * counts[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

export function runCount({ counts }: Runs): number {
  return countOf(counts);
}

/** Whether no two elements of a view share bytes: each axis steps over all that the finer ones reach. */
export function isInjective({ shape, strides }: Operand): boolean {
  const axes = [...shape.keys()].filter((axis) => shape[axis] > 1);
  axes.sort((a, b) => Math.abs(strides[a]) - Math.abs(strides[b]));
  let reach = 0;
  for (const axis of axes) {
    const stride = Math.abs(strides[axis]);
    if (stride <= reach) return false;
    reach += stride * (shape[axis] - 1);
  }
  return true;
}

/** Whether two views are one and the same sequence of elements. */
export function isSameView(a: Operand, b: Operand): boolean {
  return (
    a.space === b.space &&
    a.address === b.address &&
    sizeOf(a.dtype) === sizeOf(b.dtype) &&
    a.shape.length === b.shape.length &&
    a.shape.every((size, axis) => size === b.shape[axis] && (size === 1 || a.strides[axis] === b.strides[axis]))
  );
}

/** A tensor of DRAM as an operand: row-major. */
export function contiguous({ dtype, shape, address }: Pick<Operand, "dtype" | "shape" | "address">): Operand {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return { space: "dram", address, dtype, shape, strides };
}
