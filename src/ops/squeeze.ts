import type { Dim, Node, Tensor } from "../ir/graph.ts";
import { reshapeGradient } from "./gradient/move.ts";
import { lowerReshape } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { makeType, reject, resolveAxis, typeAt, unknownShape } from "./shared/types.ts";
import { integersOf, optionalTensorAt, reshaped, tensorAt } from "./shared/values.ts";

/** The shape without the axes of size 1 that are named, or without all of them. */
function squeezed<D extends Dim>(node: Node, shape: readonly D[], axes: Tensor | undefined): D[] {
  if (axes === undefined) return shape.filter((dim) => dim !== 1);
  const chosen = new Set(integersOf(axes).map((axis) => resolveAxis(node, axis, shape.length)));
  for (const axis of chosen) {
    if (typeof shape[axis] === "number" && shape[axis] !== 1)
      reject(node, `axis ${axis} has size ${shape[axis]}, not 1`);
  }
  return shape.filter((_, axis) => !chosen.has(axis));
}

/** The same elements without axes of size 1: those in input 1, or all of them. */
const op: Op = {
  gradient: reshapeGradient,
  integer: lowerReshape,
  operands: { data: [0] },
  passesThrough: true,
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    const axes = context.constant(1);
    if (shape === undefined) return [makeType(dtype)];
    if ((node.inputs[1] ?? "") !== "" && axes === undefined) {
      const count = inputs[1]?.shape?.[0];
      return [makeType(dtype, typeof count === "number" ? unknownShape(Math.max(0, shape.length - count)) : undefined)];
    }
    // A symbolic dimension may or may not be 1: without named axes the rank is open.
    if (axes === undefined && shape.some((dim) => typeof dim === "string")) return [makeType(dtype)];
    return [makeType(dtype, squeezed(node, shape, axes))];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    return [reshaped(data, squeezed(node, data.shape, optionalTensorAt(node, inputs, 1)))];
  },
};

export default op;
