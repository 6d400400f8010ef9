import { elementCount } from "../ir/graph.ts";
import { reshapeGradient } from "./gradient/move.ts";
import { lowerReshape } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { axisAttr, makeType, multiplyDims, typeAt, unknownShape } from "./shared/types.ts";
import { reshaped, tensorAt } from "./shared/values.ts";

/** A matrix: the dimensions before `axis` multiplied together, then those from it on. */
const op: Op = {
  gradient: reshapeGradient,
  integer: lowerReshape,
  operands: { data: [0] },
  infer(node, inputs) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return [makeType(dtype, unknownShape(2))];
    const axis = axisAttr(node, shape.length, 1, 1);
    return [makeType(dtype, [multiplyDims(shape.slice(0, axis)), multiplyDims(shape.slice(axis))])];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const axis = axisAttr(node, tensor.shape.length, 1, 1);
    return [reshaped(tensor, [elementCount(tensor.shape.slice(0, axis)), elementCount(tensor.shape.slice(axis))])];
  },
  passesThrough: true,
};

export default op;
