import type { Dim, Node } from "../ir/graph.ts";
import { reshapeGradient } from "./gradient/move.ts";
import { lowerReshape } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { constantIntegers, makeType, reject, resolveAxis, typeAt, unknownShape } from "./shared/types.ts";
import { integersOf, reshaped, tensorAt } from "./shared/values.ts";

/** The shape with axes of size 1 put in, so that they stand at `axes` of the result. */
function unsqueezed<D extends Dim>(node: Node, shape: readonly D[], axes: readonly number[]): (D | 1)[] {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => resolveAxis(node, axis, rank)));
  if (added.size !== axes.length) reject(node, `the axes [${axes}] name one twice`);
  let next = 0;
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : shape[next++]));
}

/** The same elements with axes of size 1 put in. */
const op: Op = {
  gradient: reshapeGradient,
  integer: lowerReshape,
  operands: { data: [0] },
  passesThrough: true,
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    const axes = constantIntegers(context, 1);
    if (shape === undefined) return [makeType(dtype)];
    if (axes) return [makeType(dtype, unsqueezed(node, shape, axes))];
    const count = typeAt(node, inputs, 1).shape?.[0];
    return [makeType(dtype, typeof count === "number" ? unknownShape(shape.length + count) : undefined)];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    return [reshaped(data, unsqueezed(node, data.shape, integersOf(tensorAt(node, inputs, 1))))];
  },
};

export default op;
