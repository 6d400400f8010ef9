import { gatherGradient } from "./gradient/move.ts";
import { lowerGather } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import { axisAttr, INDICES, makeType, reject, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

/** The slices of input 0 along `axis` that the indices name; the indices' shape takes the axis's place. */
const op: Op = {
  gradient: gatherGradient,
  integer: lowerGather,
  operands: { data: [0] },
  infer(node, inputs) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    const indices = typeAt(node, inputs, 1, INDICES).shape;
    if (shape === undefined || indices === undefined) return [makeType(dtype)];
    const axis = axisAttr(node, shape.length, 0);
    return [makeType(dtype, [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)])];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const given = tensorAt(node, inputs, 1);
    const axis = axisAttr(node, tensor.shape.length, 0);
    const { outer, size, inner } = axisView(tensor.shape, axis);
    const indices = integersOf(given).map((index) => {
      if (index < -size || index >= size) reject(node, `index ${index} is outside axis ${axis} of size ${size}`);
      return index < 0 ? index + size : index;
    });
    const offsets = new Int32Array(outer * indices.length * inner);
    let position = 0;
    for (let block = 0; block < outer; block++) {
      for (const index of indices) {
        for (let at = 0; at < inner; at++) offsets[position++] = (block * size + index) * inner + at;
      }
    }
    const shape = [...tensor.shape.slice(0, axis), ...given.shape, ...tensor.shape.slice(axis + 1)];
    return [gatherOffsets(tensor, shape, offsets)];
  },
  passesThrough: true,
};

export default op;
