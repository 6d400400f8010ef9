import type { Op } from "./op.ts";
import { commonType, sequenceOf } from "./shared/sequence.ts";
import { typeAt } from "./shared/types.ts";
import { allTensors } from "./shared/values.ts";

/** A sequence of the inputs. */
const op: Op = {
  infer(node, inputs) {
    const types = node.inputs.map((_, index) => typeAt(node, inputs, index));
    return [sequenceOf(types.reduce((all, type) => commonType(node, all, type), typeAt(node, inputs, 0)))];
  },
  evaluate: (node, inputs) => [allTensors(node, inputs)],
};

export default op;
