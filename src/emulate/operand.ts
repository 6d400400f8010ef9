/** Sizes of views. */
import { type Operand, STORAGE_BYTES, type WeightOperand } from "../schedule/program.ts";

export function countOf(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

export function bytesOfElement({ dtype }: Pick<WeightOperand, "dtype">): number {
  return STORAGE_BYTES[dtype];
}

/** Bytes that a view stands for, each element once. */
export function bytesOfView(operand: Pick<WeightOperand, "dtype" | "shape">): number {
  return countOf(operand.shape) * bytesOfElement(operand);
}

/** Bytes that a view reaches: what it broadcasts counts once. */
export function bytesReached({ dtype, shape, strides }: WeightOperand): number {
  let count = 1;
  shape.forEach((size, axis) => {
    if (strides[axis] !== 0) count *= size;
  });
  return count * STORAGE_BYTES[dtype];
}

/** The bytes that packed weights lie in, gaps between their rows too; other operands as they are. */
export function inBytes(operand: WeightOperand): Operand {
  const { dtype, shape, strides } = operand;
  if (dtype !== "int4") return { ...operand, dtype };
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0);
  return { ...operand, dtype: "uint8", shape: [(last >> 1) + 1], strides: [1] };
}
