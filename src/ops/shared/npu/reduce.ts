/** Reductions of codes along axes given as an attribute. */
import { elementCount, intAttr, intsAttr, type Node } from "../../../ir/graph.ts";
import type { Op } from "../../op.ts";
import { broadcastStrides, stridedOffsets } from "../index.ts";
import { reducedAxes, reducedShape } from "../reduce.ts";
import { type Codes, codesAt, codeType, makeCodes } from "./codes.ts";

/** The result's shape, and for every element of x the group (element of the result) that it belongs to. */
export function groupsOf(node: Node, from: readonly number[]): { shape: readonly number[]; group: Int32Array } {
  const axes = reducedAxes(node, intsAttr(node, "axes"), from.length);
  const kept = reducedShape(from, axes, true);
  return {
    shape: reducedShape(from, axes, intAttr(node, "keepdims", 1) === 1),
    group: stridedOffsets(from, broadcastStrides(kept, from)),
  };
}

/** All codes of each group folded from `first`. */
export function foldGroups(
  node: Node,
  x: Codes,
  first: number,
  fold: (total: number, code: number) => number,
): { shape: readonly number[]; totals: Float64Array } {
  const { shape, group } = groupsOf(node, x.shape);
  const totals = new Float64Array(elementCount(shape)).fill(first);
  for (let at = 0; at < group.length; at++) totals[group[at]] = fold(totals[group[at]], x.values[at]);
  return { shape, totals };
}

/** The code that wins along the axes. A group is never empty: shapes of codes have no 0. */
export function winner(fold: (a: number, b: number) => number, first: number): Op {
  return {
    infer(node, inputs) {
      const { dtype, shape } = codeType(node, inputs, 0);
      const axes = reducedAxes(node, intsAttr(node, "axes"), shape.length);
      return [{ dtype, shape: reducedShape(shape, axes, intAttr(node, "keepdims", 1) === 1) }];
    },
    evaluate(node, inputs) {
      const x = codesAt(node, inputs, 0);
      const { shape, totals } = foldGroups(node, x, first, fold);
      return [makeCodes(x.dtype, shape, (at) => totals[at])];
    },
  };
}
