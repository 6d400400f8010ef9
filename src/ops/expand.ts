import { expandGradient } from "./gradient/move.ts";
import { lowerExpand } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { broadcastOffsets, broadcastShapes } from "./shared/index.ts";
import { broadcastDims, constantIntegers, makeType, typeAt, unknownShape } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

/** Input 0 broadcast together with the shape that input 1 spells (so the result may be larger than that shape). */
const op: Op = {
  gradient: expandGradient,
  integer: lowerExpand,
  operands: { data: [0] },
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    const wanted = constantIntegers(context, 1);
    if (wanted) return [makeType(dtype, broadcastDims(node, [shape, wanted]))];
    const rank = inputs[1]?.shape?.[0];
    if (shape === undefined || typeof rank !== "number") return [makeType(dtype)];
    return [makeType(dtype, unknownShape(Math.max(rank, shape.length)))];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const shape = broadcastShapes(node, [tensor.shape, integersOf(tensorAt(node, inputs, 1))]);
    return [gatherOffsets(tensor, shape, broadcastOffsets(tensor.shape, shape))];
  },
  passesThrough: true,
};

export default op;
