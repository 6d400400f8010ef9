import { intAttr, intsAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { ACTIVATIONS, codesAt, codeType, makeCodes, postInputs, requirePost, storedType } from "../shared/npu/codes.ts";
import { foldGroups } from "../shared/npu/reduce.ts";
import { postStage } from "../shared/npu/requantize.ts";
import { reducedAxes, reducedShape } from "../shared/reduce.ts";

/** v = Σ (x − x_zero) along `axes` (all if absent); a mean has 1/n in its multiplier. Inputs x, then the post stage's. */
export default {
  infer(node, inputs) {
    const { shape } = codeType(node, inputs, 0, ACTIVATIONS);
    const axes = reducedAxes(node, intsAttr(node, "axes"), shape.length);
    requirePost(node, inputs, 1, 1);
    return [storedType(node, reducedShape(shape, axes, intAttr(node, "keepdims", 1) === 1))];
  },
  evaluate(node, inputs) {
    const zero = intAttr(node, "x_zero", 0);
    const { shape, totals } = foldGroups(node, codesAt(node, inputs, 0), 0, (total, code) => total + code - zero);
    const store = postStage(node, postInputs(node, inputs, 1));
    return [makeCodes(storedType(node, shape).dtype, shape, (at) => store(totals[at], 0))];
  },
} satisfies Op;
