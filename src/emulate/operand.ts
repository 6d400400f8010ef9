/** Sizes of views. */
import { type Operand, STORAGE_BYTES } from "../schedule/program.ts";

export function countOf(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

export function bytesOfElement({ dtype }: Pick<Operand, "dtype">): number {
  return STORAGE_BYTES[dtype];
}

/** Bytes that a view stands for, each element once. */
export function bytesOfView(operand: Pick<Operand, "dtype" | "shape">): number {
  return countOf(operand.shape) * bytesOfElement(operand);
}

/** Bytes that a view reaches: what it broadcasts counts once. */
export function bytesReached({ dtype, shape, strides }: Operand): number {
  let count = 1;
  shape.forEach((size, axis) => {
    if (strides[axis] !== 0) count *= size;
  });
  return count * STORAGE_BYTES[dtype];
}
