import type { DType } from "../ir/graph.ts";
import { binaryGradient } from "./gradient/elementwise.ts";
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
  gradient: binaryGradient(
    (g, dy, _a, b) => g.mul(dy, b),
    (g, dy, a) => g.mul(dy, a),
  ),
  integer: lowerMul,
  carries: true,
  riding: ridingGain(true),
};

export default op;
