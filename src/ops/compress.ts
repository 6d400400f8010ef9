import { elementCount, intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import { BOOL, makeType, reject, resolveAxis, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

/** The slices along `axis` (of the flattened tensor, if absent) whose condition is true; missing conditions are false. */
const op: Op = {
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    typeAt(node, inputs, 1, BOOL);
    const condition = context.constant(1);
    const kept = condition ? integersOf(condition).reduce((sum, flag) => sum + flag, 0) : "?";
    if (!node.attrs.has("axis")) return [makeType(dtype, [kept])];
    if (shape === undefined) return [makeType(dtype)];
    const axis = resolveAxis(node, intAttr(node, "axis", 0), shape.length);
    return [
      makeType(
        dtype,
        shape.map((dim, at) => (at === axis ? kept : dim)),
      ),
    ];
  },
  evaluate(node, inputs) {
    const given = tensorAt(node, inputs, 0);
    const condition = integersOf(tensorAt(node, inputs, 1));
    const flat = !node.attrs.has("axis");
    const shape = flat ? [elementCount(given.shape)] : given.shape;
    const axis = flat ? 0 : resolveAxis(node, intAttr(node, "axis", 0), shape.length);
    const { outer, size, inner } = axisView(shape, axis);
    if (condition.length > size) reject(node, `${condition.length} conditions for an axis of ${size}`);
    const kept = condition.flatMap((flag, index) => (flag === 0 ? [] : [index]));
    const offsets: number[] = [];
    for (let block = 0; block < outer; block++) {
      for (const index of kept) {
        for (let at = 0; at < inner; at++) offsets.push((block * size + index) * inner + at);
      }
    }
    return [
      gatherOffsets(
        given,
        shape.map((dim, at) => (at === axis ? kept.length : dim)),
        offsets,
      ),
    ];
  },
  passesThrough: true,
};

export default op;
