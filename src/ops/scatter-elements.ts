import { stringAttr } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { forEachIndex, offsetOf } from "./shared/index.ts";
import { combinerOf } from "./shared/scatter.ts";
import { axisAttr, INDICES, reject, requireSameDType, typeAt } from "./shared/types.ts";
import { elementsOf, fromElements, integersOf, room, tensorAt } from "./shared/values.ts";

/**
 * A copy of the data in which, for every position of `indices`, the element at that position with its coordinate along
 * `axis` replaced by the index takes the update (or is combined with it: add, mul, max, min).
 */
const op: Op = {
  hostOnly: "it writes at places of its own, and the chip's commands write whole blocks",
  infer(node, inputs) {
    const data = typeAt(node, inputs, 0);
    const indices = typeAt(node, inputs, 1, INDICES);
    requireSameDType(node, inputs, 0, 2);
    combinerOf(node, stringAttr(node, "reduction", "none"), data.dtype);
    if (data.shape && indices.shape && data.shape.length !== indices.shape.length) {
      reject(node, `indices have rank ${indices.shape.length}, the data ${data.shape.length}`);
    }
    return [data];
  },
  evaluate(node, inputs) {
    const [data, indices, updates] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const axis = axisAttr(node, data.shape.length, 0);
    const combine = combinerOf(node, stringAttr(node, "reduction", "none"), data.dtype);
    const size = data.shape[axis];
    const strides = stridesOf(data.shape);
    const places = integersOf(indices);
    const values = elementsOf(updates);
    const source = elementsOf(data);
    const target = room(data.dtype, source.length);
    for (let index = 0; index < source.length; index++) target[index] = source[index];
    forEachIndex(indices.shape, (index, position) => {
      const given = places[position];
      const at = given < 0 ? given + size : given;
      if (!(at >= 0 && at < size)) reject(node, `index ${given} is outside of ${size} along axis ${axis}`);
      const offset = offsetOf(index, strides) + (at - index[axis]) * strides[axis];
      target[offset] = combine(target[offset], values[position]);
    });
    return [fromElements(data.dtype, data.shape, target)];
  },
};

export default op;
