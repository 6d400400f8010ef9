import { type Dim, intAttr, type Node } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { splitGradient } from "./gradient/move.ts";
import { lowerSplit } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { stridedOffsets } from "./shared/index.ts";
import { axisAttr, constantIntegers, makeType, reject, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, optionalTensorAt, tensorAt } from "./shared/values.ts";

/** Sizes of the parts: as given, or ⌈dim / outputs⌉ each with a smaller last one. */
function sizesOf(node: Node, dim: number, given: readonly number[] | undefined): number[] {
  if (given) {
    const total = given.reduce((sum, size) => sum + size, 0);
    if (given.some((size) => size < 0) || total !== dim) reject(node, `the parts [${given}] do not make up ${dim}`);
    if (given.length !== node.outputs.length) {
      reject(node, `there are ${given.length} parts and ${node.outputs.length} outputs`);
    }
    return [...given];
  }
  const count = intAttr(node, "num_outputs", node.outputs.length);
  if (count !== node.outputs.length) reject(node, `num_outputs is ${count}; there are ${node.outputs.length} outputs`);
  const size = Math.ceil(dim / count);
  if (size * (count - 1) > dim) reject(node, `a dimension of ${dim} does not split into ${count} parts`);
  return Array.from({ length: count }, (_, index) => Math.min(size, dim - index * size));
}

/** Parts of an axis, one an output: of the sizes in input 1, or all of one size with a smaller last one. */
const op: Op = {
  gradient: splitGradient,
  integer: lowerSplit,
  operands: { data: [0] },
  passesThrough: true,
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return node.outputs.map(() => makeType(dtype));
    const axis = axisAttr(node, shape.length, 0);
    const given = constantIntegers(context, 1);
    const computed = given === undefined && (node.inputs[1] ?? "") !== "";
    const dim = shape[axis];
    const sizes: readonly Dim[] =
      computed || typeof dim === "string" ? (given ?? node.outputs.map(() => "?")) : sizesOf(node, dim, given);
    return node.outputs.map((_, index) => makeType(dtype, shape.with(axis, sizes[index])));
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const axis = axisAttr(node, data.shape.length, 0);
    const given = optionalTensorAt(node, inputs, 1);
    const strides = stridesOf(data.shape);
    let start = 0;
    return sizesOf(node, data.shape[axis], given && integersOf(given)).map((size) => {
      const shape = data.shape.with(axis, size);
      const offsets = stridedOffsets(shape, strides, start * strides[axis]);
      start += size;
      return gatherOffsets(data, shape, offsets);
    });
  },
};

export default op;
