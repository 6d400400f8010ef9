import { logSoftmaxGradient } from "./gradient/along.ts";
import type { Op } from "./op.ts";
import { alongAxis, logSoftmax } from "./shared/along.ts";
import { axisAttr, FLOATS, sameType } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** `y = x − ln Σ e^x` along `axis`. */
const op: Op = {
  gradient: logSoftmaxGradient,
  infer: sameType(FLOATS),
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    return [alongAxis(tensor, axisAttr(node, tensor.shape.length, -1), logSoftmax)];
  },
};

export default op;
