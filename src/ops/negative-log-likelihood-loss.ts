import { likelihoodGradient } from "./gradient/loss.ts";
import type { Op } from "./op.ts";
import { likelihoodLoss, lossType } from "./shared/loss.ts";
import { FLOATS, INDICES, requireRank, requireSameDType, typeAt } from "./shared/types.ts";
import { optionalTensorAt, tensorAt } from "./shared/values.ts";

/** The negated log probabilities (input 0, classes on axis 1) of the target classes, weighted and reduced. */
const op: Op = {
  gradient: likelihoodGradient,
  infer(node, inputs) {
    const logs = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, logs, 0, 2);
    requireSameDType(node, inputs, 0, 2);
    return [lossType(node, logs.dtype, typeAt(node, inputs, 1, INDICES))];
  },
  evaluate: (node, inputs) => [
    likelihoodLoss(node, tensorAt(node, inputs, 0), tensorAt(node, inputs, 1), optionalTensorAt(node, inputs, 2)),
  ],
};

export default op;
