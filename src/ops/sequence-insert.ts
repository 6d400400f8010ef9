import type { Op } from "./op.ts";
import { commonType, elementTypeAt, positionAt, sequenceOf } from "./shared/sequence.ts";
import { typeAt } from "./shared/types.ts";
import { sequenceAt, tensorAt } from "./shared/values.ts";

/** The sequence with a tensor put in before a position: at the end, if none is given. */
const op: Op = {
  infer(node, inputs) {
    return [sequenceOf(commonType(node, elementTypeAt(node, inputs, 0), typeAt(node, inputs, 1)))];
  },
  evaluate(node, inputs) {
    const sequence = sequenceAt(node, inputs, 0);
    const position = inputs[2] ? positionAt(node, inputs, 2, sequence.length, 1) : sequence.length;
    return [sequence.toSpliced(position, 0, tensorAt(node, inputs, 1))];
  },
};

export default op;
