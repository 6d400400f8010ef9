import type { Tensor } from "../../ir/graph.ts";
import { decode } from "../../ir/numbers.ts";

/**
 * The elements as plain integers: shapes, axes, indices (int64 beyond 2^53 is rounded, which every use forgives).
 * Throws RangeError, which the callers of operators turn into the user's error, for text and fractions.
 */
export function integersOf(tensor: Tensor): number[] {
  if (tensor.dtype === "string") throw new RangeError("text stands where integers are needed");
  const values = Array.from(decode(tensor) as ArrayLike<number | bigint>, Number);
  const odd = values.find((value) => !Number.isInteger(value));
  if (odd !== undefined) throw new RangeError(`${odd} stands where an integer is needed`);
  return values;
}
