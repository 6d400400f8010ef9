import type { DType } from "../ir/graph.ts";
import { productGradient } from "./gradient/reduce.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** A product of 32-bit integers may pass 2^53: `imul` keeps its low bits, which are what is stored. */
function multiply(a: number, b: number, dtype: DType): number {
  return dtype === "float32" || dtype === "float64" ? a * b : Math.imul(a, b);
}

function wrap(value: bigint, dtype: DType): bigint {
  return dtype === "uint64" ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value);
}

/** Product along axes; integers wrap. */
const op: Op = {
  ...reduction({
    number: (values, dtype) => values.reduce((product, x) => multiply(product, x, dtype), 1),
    big: (values, dtype) => values.reduce((product, x) => wrap(product * x, dtype), 1n),
  }),
  gradient: productGradient,
};

export default op;
