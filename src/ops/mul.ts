import type { DType } from "../ir/graph.ts";
import { lowerMul, ridingGain } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { binary } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** The product of two 32-bit integers may pass 2^53: `imul` keeps its low bits, which are what is stored. */
function multiply(a: number, b: number, dtype: DType): number {
  return dtype === "int32" || dtype === "uint32" ? Math.imul(a, b) : a * b;
}

/** `z = a · b` with broadcasting; integers wrap. */
const base: Op = binary(multiply, (a, b) => a * b, NUMBERS);

const op: Op = {
  ...base,
  integer: lowerMul,
  carries: true,
  riding: ridingGain(true),
};

export default op;
