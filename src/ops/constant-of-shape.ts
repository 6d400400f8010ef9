import { elementCount, type Node, type Tensor, tensorAttr } from "../ir/graph.ts";
import { float32 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { constantIntegers, INDICES, makeType, reject, typeAt, unknownShape } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

function fill(node: Node): Tensor {
  const value = tensorAttr(node, "value") ?? float32([1], [0]);
  return elementCount(value.shape) === 1 ? value : reject(node, `value has shape [${value.shape}], not one element`);
}

/** A tensor of the shape that input 0 spells, filled with the one element of `value` (float32 0 if absent). */
const op: Op = {
  infer(node, inputs, context) {
    const { dtype } = fill(node);
    const shape = constantIntegers(context, 0);
    if (shape?.some((size) => size < 0)) reject(node, `the shape [${shape}] has a negative size`);
    if (shape) return [makeType(dtype, shape)];
    const rank = typeAt(node, inputs, 0, INDICES).shape?.[0];
    return [makeType(dtype, typeof rank === "number" ? unknownShape(rank) : undefined)];
  },
  evaluate(node, inputs) {
    const shape = integersOf(tensorAt(node, inputs, 0));
    if (shape.some((size) => size < 0)) reject(node, `the shape [${shape}] has a negative size`);
    return [gatherOffsets(fill(node), shape, new Int32Array(elementCount(shape)))];
  },
};

export default op;
