import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { concatenate, stack } from "./shared/concat.ts";
import { makeType, reject, resolveAxis, typeAt, unknownShape } from "./shared/types.ts";
import { sequenceAt } from "./shared/values.ts";

/** The tensors of a sequence joined along `axis`, or stacked along a new one (`new_axis`). */
const op: Op = {
  infer(node, inputs) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return [makeType(dtype)];
    const stacked = intAttr(node, "new_axis", 0) === 1 ? 1 : 0;
    resolveAxis(node, intAttr(node, "axis", 0), shape.length + stacked);
    return [makeType(dtype, unknownShape(shape.length + stacked))];
  },
  evaluate(node, inputs) {
    const tensors = sequenceAt(node, inputs, 0);
    if (tensors.length === 0) reject(node, "the sequence is empty");
    const stacked = intAttr(node, "new_axis", 0) === 1;
    const axis = resolveAxis(node, intAttr(node, "axis", 0), tensors[0].shape.length + (stacked ? 1 : 0));
    return [stacked ? stack(node, tensors, axis) : concatenate(node, tensors, axis)];
  },
};

export default op;
