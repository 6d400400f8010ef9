import { intAttr, isStatic, type Node, type Tensor, type Type } from "../../ir/graph.ts";
import { int64 } from "../../ir/tensor.ts";
import { beside, type Conversion, type ConvertContext, type Family, hintOf, withAttrs } from "./conversion.ts";

/**
 * Before 13 Softmax, LogSoftmax and Hardmax saw a matrix: the dimensions before `axis` (1 by default) in the rows, all
 * from `axis` on in the columns. That is today's operator where `axis` is the last one; which needs the rank, so the node
 * is marked here and settled once types are known.
 */
const MARK = "flattened";

const mark: Conversion = {
  before: 13,
  convert(node) {
    const axis = intAttr(node, "axis", 1);
    return withAttrs(node, { axis: { i: axis }, ...(axis !== -1 && { [MARK]: { i: 1 } }) });
  },
};

export const softmax: Family = { Softmax: [mark], LogSoftmax: [mark], Hardmax: [mark] };

export function isMarked(node: Node): boolean {
  return node.attrs.has(MARK);
}

/** The marked node as canonical ones. `type` is its input's. */
export function settleSoftmax(node: Node, type: Type | undefined, context: ConvertContext): readonly Node[] {
  const bare = withAttrs(node, { [MARK]: undefined });
  const shape = type?.shape;
  const axis = intAttr(node, "axis", 1);
  const first = shape && axis < 0 ? axis + shape.length : axis;
  const inner = shape?.slice(first);
  // Only one dimension from `axis` on that is more than 1, and it is `axis` itself: the same numbers.
  if (inner && (inner.length === 1 || inner.slice(1).every((dim) => dim === 1))) return [bare];
  const hint = hintOf(node);
  const rows = context.fresh(`${hint}/rows`);
  const done = context.fresh(`${hint}/matrix`);
  const matrix = { ...withAttrs(bare, { axis: { i: -1 } }), inputs: [rows], outputs: [done] };
  const back: Tensor | undefined = isStatic(shape) ? int64([shape.length], shape) : undefined;
  const dims = back ? context.add(`${hint}/shape`, back) : context.fresh(`${hint}/shape`);
  return [
    beside(node, "Flatten", [node.inputs[0]], rows, new Map([["axis", { i: axis }]])),
    ...(back ? [] : [beside(node, "Shape", [node.inputs[0]], dims)]),
    matrix,
    beside(node, "Reshape", [done, dims], node.outputs[0]),
  ];
}
