import type { DType } from "../ir/graph.ts";
import { binaryGradient } from "./gradient/elementwise.ts";
import { lowerDiv, ridingGain } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { binary } from "./shared/elementwise.ts";
import { INTEGERS, NUMBERS } from "./shared/types.ts";

function divide(a: number, b: number, dtype: DType): number {
  if (!INTEGERS.includes(dtype)) return a / b;
  return b === 0 ? 0 : Math.trunc(a / b);
}

/** `z = a / b` with broadcasting. Integers are truncated towards zero; ONNX leaves a division by zero open, here it is 0. */
const base: Op = binary(divide, (a, b) => (b === 0n ? 0n : a / b), NUMBERS);

const op: Op = {
  ...base,
  gradient: binaryGradient(
    (g, dy, _a, b) => g.div(dy, b),
    (g, dy, _a, b) => g.neg(g.div(g.mul(dy, g.output(0)), b)),
  ),
  integer: lowerDiv,
  carries: true,
  riding: ridingGain(false),
};

export default op;
