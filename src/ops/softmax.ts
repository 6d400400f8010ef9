import { softmaxGradient } from "./gradient/along.ts";
import { lowerSoftmax } from "./lowering/normalise.ts";
import type { Op } from "./op.ts";
import { alongAxis, softmax } from "./shared/along.ts";
import { axisAttr, FLOATS, typeAt } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** `eˣ / ∑ eˣ` along an axis. */
const op: Op = {
  gradient: softmaxGradient,
  integer: lowerSoftmax,
  wantsWide: true,
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    if (type.shape) axisAttr(node, type.shape.length, -1);
    return [type];
  },
  evaluate(node, inputs) {
    const x = tensorAt(node, inputs, 0);
    return [alongAxis(x, axisAttr(node, x.shape.length, -1), softmax)];
  },
};

export default op;
