import { type Dim, elementCount, intAttr, intsAttr, type Node } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { ACTIVATIONS, codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { groupsOf } from "../shared/npu/reduce.ts";
import { reducedAxes, reducedShape } from "../shared/reduce.ts";
import { reject } from "../shared/types.ts";

/** What fits: a margin beyond it is as sure as any. */
const MOST = 32_767;
/** How much lower a row that makes a character is stored: a minimum over rows then finds one of them where there is one. */
const CHARACTER = 32_768;

/** The one axis that the classes lie along. */
function classAxis(node: Node, shape: readonly Dim[]): Set<number> {
  const axes = reducedAxes(node, intsAttr(node, "axes"), shape.length);
  const [axis] = axes;
  if (axes.size !== 1 || Number(shape[axis]) < 2)
    reject(node, "a margin is that of two classes or more along one axis");
  return axes;
}

/**
 * How far the largest code along the axis is above the second largest: m = min(32767, top1 − top2), 0 where two are the
 * largest. int16. With `ctc = 1`, class 0 is CTC's blank: m − 32768 where the first of the largest is another class.
 */
export default {
  infer(node, inputs) {
    const { shape } = codeType(node, inputs, 0, ACTIVATIONS);
    const axes = classAxis(node, shape);
    return [{ dtype: "int16", shape: reducedShape(shape, axes, intAttr(node, "keepdims", 1) === 1) }];
  },
  evaluate(node, inputs) {
    const x = codesAt(node, inputs, 0);
    classAxis(node, x.shape);
    const { shape, group } = groupsOf(node, x.shape);
    const members = Array.from({ length: elementCount(shape) }, (): number[] => []);
    for (let at = 0; at < group.length; at++) members[group[at]].push(x.values[at]);
    const lowered = intAttr(node, "ctc", 0) === 1 ? CHARACTER : 0;
    return [
      makeCodes("int16", shape, (at) => {
        const [top, second] = [...members[at]].sort((a, b) => b - a);
        return Math.min(MOST, top - second) - (members[at][0] === top ? 0 : lowered);
      }),
    ];
  },
} satisfies Op;
