import { bitsOf, type DType } from "../../ir/graph.ts";

/** The least number that an integer type holds; −∞ for floats. */
export function lowestOf(dtype: DType): number | bigint {
  if (dtype === "bool" || dtype.startsWith("uint")) return 0;
  if (dtype === "int64") return -(2n ** 63n);
  return dtype.startsWith("int") ? -(2 ** (bitsOf(dtype) - 1)) : Number.NEGATIVE_INFINITY;
}

/** The greatest number that an integer type holds; +∞ for floats. */
export function highestOf(dtype: DType): number | bigint {
  if (dtype === "bool") return 1;
  if (dtype === "int64") return 2n ** 63n - 1n;
  if (dtype === "uint64") return 2n ** 64n - 1n;
  if (dtype.startsWith("uint")) return 2 ** bitsOf(dtype) - 1;
  return dtype.startsWith("int") ? 2 ** (bitsOf(dtype) - 1) - 1 : Number.POSITIVE_INFINITY;
}
