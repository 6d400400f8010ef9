import { crossEntropyGradient } from "./gradient/loss.ts";
import type { Op } from "./op.ts";
import { alongAxis, logSoftmax } from "./shared/along.ts";
import { likelihoodLoss, lossType } from "./shared/loss.ts";
import { FLOATS, INDICES, requireRank, requireSameDType, typeAt } from "./shared/types.ts";
import { optionalTensorAt, tensorAt } from "./shared/values.ts";

/** The negative log likelihood of the targets under the softmax of the scores (classes on axis 1); also the log softmax. */
const op: Op = {
  gradient: crossEntropyGradient,
  infer(node, inputs) {
    const scores = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, scores, 0, 2);
    requireSameDType(node, inputs, 0, 2);
    return [lossType(node, scores.dtype, typeAt(node, inputs, 1, INDICES)), scores];
  },
  evaluate(node, inputs) {
    const logs = alongAxis(tensorAt(node, inputs, 0), 1, logSoftmax);
    return [likelihoodLoss(node, logs, tensorAt(node, inputs, 1), optionalTensorAt(node, inputs, 2)), logs];
  },
};

export default op;
