import type { Op } from "./op.ts";
import { sequenceOf } from "./shared/sequence.ts";
import { makeType, reject } from "./shared/types.ts";

/** What the optional holds. A tensor or sequence is returned as it is. */
const op: Op = {
  passesThrough: true,
  infer(node, inputs) {
    const type = inputs[0] ?? reject(node, "input 0 is missing");
    const element = makeType(type.dtype, type.shape);
    if (type.container === undefined) return [type];
    return [type.container === "optional" ? element : sequenceOf(element)];
  },
  evaluate: (node, inputs) => [inputs[0] ?? reject(node, "the optional is empty")],
};

export default op;
