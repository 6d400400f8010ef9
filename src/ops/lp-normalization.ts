import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { alongAxis } from "./shared/along.ts";
import { norm } from "./shared/pool.ts";
import { axisAttr, FLOATS, sameType, sizeOf } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** Every line along `axis` divided by its p-norm; a line of zeros stays zeros. */
const op: Op = {
  infer: sameType(FLOATS),
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const p = intAttr(node, "p", 2);
    const axis = axisAttr(node, tensor.shape.length, -1);
    return [
      alongAxis(tensor, axis, (line) => {
        const length = norm(line, p);
        return length === 0 ? line : line.map((value) => value / length);
      }),
    ];
  },
  macs: (_, inputs) => 2 * sizeOf(inputs[0]?.shape),
};

export default op;
