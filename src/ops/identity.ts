import { passGradient } from "./gradient/move.ts";
import { lowerReshape } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { sameType } from "./shared/types.ts";

/** Hands on what it is given: a tensor, a sequence or an optional. */
const op: Op = {
  gradient: passGradient,
  integer: lowerReshape,
  operands: { data: [0] },
  infer: sameType(),
  evaluate: (_, inputs) => [inputs[0]],
  passesThrough: true,
};

export default op;
