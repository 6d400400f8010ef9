import { type Dim, intAttr, type Node } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { stridedOffsets } from "./shared/index.ts";
import { sequenceOf } from "./shared/sequence.ts";
import { axisAttr, constantIntegers, makeType, reject, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, optionalTensorAt, reshaped, tensorAt } from "./shared/values.ts";

/** A list gives the size of each part; a scalar is the size of all but a smaller last one. */
function sizesOf(node: Node, dim: number, split: readonly number[], isScalar: boolean): number[] {
  if (!isScalar) {
    const total = split.reduce((sum, size) => sum + size, 0);
    if (split.some((size) => size < 0) || total !== dim) reject(node, `the parts [${split}] do not make up ${dim}`);
    return [...split];
  }
  const size = split[0];
  if (!(size > 0)) reject(node, `parts of ${size} are no parts`);
  return Array.from({ length: Math.ceil(dim / size) }, (_, index) => Math.min(size, dim - index * size));
}

/** Parts along an axis, as a sequence; without `split` single slices, which lose the axis if keepdims is 0. */
const op: Op = {
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return [sequenceOf(makeType(dtype))];
    const axis = axisAttr(node, shape.length, 0);
    if ((node.inputs[1] ?? "") === "") {
      const keep = intAttr(node, "keepdims", 1) !== 0;
      return [sequenceOf(makeType(dtype, keep ? shape.with(axis, 1) : shape.toSpliced(axis, 1)))];
    }
    const split = constantIntegers(context, 1);
    const dim = shape[axis];
    const even = split?.every((size) => size === split[0]) === true;
    const divides = even && typeof dim === "number" && dim % split[0] === 0;
    return [sequenceOf(makeType(dtype, shape.with(axis, divides ? (split[0] as Dim) : "?")))];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const axis = axisAttr(node, data.shape.length, 0);
    const split = optionalTensorAt(node, inputs, 1);
    const sizes = split
      ? sizesOf(node, data.shape[axis], integersOf(split), split.shape.length === 0)
      : new Array<number>(data.shape[axis]).fill(1);
    const drop = split === undefined && intAttr(node, "keepdims", 1) === 0;
    const strides = stridesOf(data.shape);
    let start = 0;
    const parts = sizes.map((size) => {
      const shape = data.shape.with(axis, size);
      const part = gatherOffsets(data, shape, stridedOffsets(shape, strides, start * strides[axis]));
      start += size;
      return drop ? reshaped(part, shape.toSpliced(axis, 1)) : part;
    });
    return [parts];
  },
};

export default op;
