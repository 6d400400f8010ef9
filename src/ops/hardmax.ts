import type { Op } from "./op.ts";
import { alongAxis } from "./shared/along.ts";
import { axisAttr, FLOATS, sameType } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** 1 at the first maximum along `axis`, 0 elsewhere. */
const op: Op = {
  infer: sameType(FLOATS),
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const axis = axisAttr(node, tensor.shape.length, -1);
    return [
      alongAxis(tensor, axis, (line) => {
        const largest = line.reduce((best, value, at) => (value > line[best] ? at : best), 0);
        return line.map((_, at) => (at === largest ? 1 : 0));
      }),
    ];
  },
};

export default op;
