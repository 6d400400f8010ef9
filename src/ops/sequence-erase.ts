import type { Op } from "./op.ts";
import { elementTypeAt, positionAt, sequenceOf } from "./shared/sequence.ts";
import { sequenceAt } from "./shared/values.ts";

/** The sequence without one of its tensors: the last, if no position is given. */
const op: Op = {
  infer: (node, inputs) => [sequenceOf(elementTypeAt(node, inputs, 0))],
  evaluate(node, inputs) {
    const sequence = sequenceAt(node, inputs, 0);
    const last = sequence.length - 1;
    return [sequence.toSpliced(inputs[1] ? positionAt(node, inputs, 1, sequence.length, 0) : last, 1)];
  },
};

export default op;
