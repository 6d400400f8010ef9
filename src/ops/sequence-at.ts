import type { Op } from "./op.ts";
import { elementTypeAt, positionAt } from "./shared/sequence.ts";
import { sequenceAt } from "./shared/values.ts";

/** The tensor at a position, which may count from the end. */
const op: Op = {
  infer: (node, inputs) => [elementTypeAt(node, inputs, 0)],
  evaluate(node, inputs) {
    const sequence = sequenceAt(node, inputs, 0);
    return [sequence[positionAt(node, inputs, 1, sequence.length, 0)]];
  },
};

export default op;
