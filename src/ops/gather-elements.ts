import { elementCount } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { gatherElementsGradient } from "./gradient/move.ts";
import type { Op } from "./op.ts";
import { forEachIndex, offsetOf } from "./shared/index.ts";
import { axisAttr, INDICES, makeType, reject, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

/** `y[i] = x[i with i[axis] replaced by indices[i]]`: x and the indices have one rank, the result the indices' shape. */
const op: Op = {
  gradient: gatherElementsGradient,
  hostOnly: "it reads each element from a place of its own; Gather along one axis is what the chip moves",
  infer(node, inputs) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    const indices = typeAt(node, inputs, 1, INDICES).shape;
    if (shape && indices && shape.length !== indices.length) {
      reject(node, `the data have rank ${shape.length}, the indices ${indices.length}`);
    }
    if (shape) axisAttr(node, shape.length, 0);
    return [makeType(dtype, indices)];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const given = tensorAt(node, inputs, 1);
    const axis = axisAttr(node, tensor.shape.length, 0);
    const size = tensor.shape[axis];
    const strides = stridesOf(tensor.shape);
    const indices = integersOf(given);
    const offsets = new Int32Array(elementCount(given.shape));
    forEachIndex(given.shape, (at, position) => {
      const index = indices[position];
      if (index < -size || index >= size) reject(node, `index ${index} is outside axis ${axis} of size ${size}`);
      if (at.some((each, other) => other !== axis && each >= tensor.shape[other])) {
        reject(node, `the indices' shape [${given.shape}] exceeds the data's [${tensor.shape}]`);
      }
      const wanted = index < 0 ? index + size : index;
      offsets[position] = offsetOf(at, strides) + (wanted - at[axis]) * strides[axis];
    });
    return [gatherOffsets(tensor, given.shape, offsets)];
  },
  passesThrough: true,
};

export default op;
