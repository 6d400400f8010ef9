import { elementCount, type Node, stringAttr } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { combinerOf } from "./shared/scatter.ts";
import { INDICES, reject, requireRank, requireSameDType, typeAt } from "./shared/types.ts";
import { elementsOf, fromElements, integersOf, room, tensorAt } from "./shared/values.ts";

/** The offset of the slice that an index row names. */
function offsetOfRow(node: Node, row: readonly number[], shape: readonly number[], strides: readonly number[]): number {
  return row.reduce((offset, given, axis) => {
    const at = given < 0 ? given + shape[axis] : given;
    if (!(at >= 0 && at < shape[axis])) reject(node, `index ${given} is outside of ${shape[axis]} along axis ${axis}`);
    return offset + at * strides[axis];
  }, 0);
}

/** A copy of the data in which each row of `indices` names a slice that takes (or is combined with) its update. */
const op: Op = {
  hostOnly: "it writes at places of its own, and the chip's commands write whole blocks",
  infer(node, inputs) {
    const data = typeAt(node, inputs, 0);
    requireRank(node, data, 0, 1);
    requireRank(node, typeAt(node, inputs, 1, INDICES), 1, 1);
    requireSameDType(node, inputs, 0, 2);
    combinerOf(node, stringAttr(node, "reduction", "none"), data.dtype);
    return [data];
  },
  evaluate(node, inputs) {
    const [data, indices, updates] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const combine = combinerOf(node, stringAttr(node, "reduction", "none"), data.dtype);
    const depth = indices.shape[indices.shape.length - 1];
    if (depth > data.shape.length) reject(node, `index rows of ${depth} for data of rank ${data.shape.length}`);
    const slice = elementCount(data.shape.slice(depth));
    const rows = elementCount(indices.shape.slice(0, -1));
    const values = elementsOf(updates);
    if (values.length !== rows * slice) reject(node, `${values.length} updates for ${rows} slices of ${slice}`);
    const strides = stridesOf(data.shape);
    const places = integersOf(indices);
    const source = elementsOf(data);
    const target = room(data.dtype, source.length);
    for (let index = 0; index < source.length; index++) target[index] = source[index];
    for (let row = 0; row < rows; row++) {
      const offset = offsetOfRow(node, places.slice(row * depth, (row + 1) * depth), data.shape, strides);
      for (let index = 0; index < slice; index++) {
        target[offset + index] = combine(target[offset + index], values[row * slice + index]);
      }
    }
    return [fromElements(data.dtype, data.shape, target)];
  },
};

export default op;
