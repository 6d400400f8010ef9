import { intAttr, type Node } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { makeType, typeAt } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** The first axis and the one after the last that are told; both may count from the end and are clamped. */
function rangeOf(node: Node, rank: number): [number, number] {
  const place = (axis: number) => Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);
  const [start, end] = [place(intAttr(node, "start", 0)), place(intAttr(node, "end", rank))];
  return [start, Math.max(start, end)];
}

/** The dimensions, from axis `start` up to `end`. */
const op: Op = {
  infer(node, inputs) {
    const { shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return [makeType("int64", ["?"])];
    const [start, end] = rangeOf(node, shape.length);
    return [makeType("int64", [end - start])];
  },
  evaluate(node, inputs) {
    const { shape } = tensorAt(node, inputs, 0);
    const dims = shape.slice(...rangeOf(node, shape.length));
    return [int64([dims.length], dims)];
  },
};

export default op;
