import { intAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { codesAt, codeType, makeCodes, postInputs, storedType } from "../shared/npu/codes.ts";
import { postStage } from "../shared/npu/requantize.ts";

/** v = x − x_zero: another scale, zero point or width for the same real numbers. Inputs x, multiplier, shift. */
export default {
  infer: (node, inputs) => [storedType(node, codeType(node, inputs, 0).shape)],
  evaluate(node, inputs) {
    const x = codesAt(node, inputs, 0);
    const zero = intAttr(node, "x_zero", 0);
    const store = postStage(node, postInputs(node, inputs, 1));
    return [makeCodes(storedType(node, x.shape).dtype, x.shape, (at) => store(x.values[at] - zero, 0))];
  },
} satisfies Op;
