import type { DType } from "../../ir/graph.ts";
import { integerRange, isFloat } from "../../ir/numbers.ts";

/** The least number that a type holds; −∞ for floats. */
export function lowestOf(dtype: DType): number | bigint {
  if (isFloat(dtype)) return Number.NEGATIVE_INFINITY;
  if (dtype === "int64") return -(2n ** 63n);
  return dtype === "uint64" ? 0n : integerRange(dtype)[0];
}

/** The greatest number that a type holds; +∞ for floats. */
export function highestOf(dtype: DType): number | bigint {
  if (isFloat(dtype)) return Number.POSITIVE_INFINITY;
  if (dtype === "int64") return 2n ** 63n - 1n;
  return dtype === "uint64" ? 2n ** 64n - 1n : integerRange(dtype)[1];
}
