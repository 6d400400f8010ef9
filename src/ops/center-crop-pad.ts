import { elementCount, intsAttr, type Node } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { forEachIndex } from "./shared/index.ts";
import { constantIntegers, makeType, reject, resolveAxis, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

function axesOf(node: Node, rank: number, sizes: readonly number[] | undefined): number[] {
  const given = intsAttr(node, "axes");
  const axes = given?.map((axis) => resolveAxis(node, axis, rank)) ?? Array.from({ length: rank }, (_, axis) => axis);
  if (sizes && sizes.length !== axes.length) reject(node, `${sizes.length} sizes for ${axes.length} axes`);
  if (sizes?.some((size) => size < 0)) reject(node, `the sizes [${sizes}] are negative somewhere`);
  return axes;
}

/** Crops, or pads with zeros, around the centre along `axes` until they have the sizes of input 1; odd rests go to the end. */
const op: Op = {
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return [makeType(dtype)];
    const sizes = constantIntegers(context, 1);
    const axes = axesOf(node, shape.length, sizes);
    return [
      makeType(
        dtype,
        shape.map((dim, axis) => (axes.includes(axis) ? (sizes?.[axes.indexOf(axis)] ?? "?") : dim)),
      ),
    ];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const sizes = integersOf(tensorAt(node, inputs, 1));
    const shape = [...tensor.shape];
    axesOf(node, shape.length, sizes).forEach((axis, at) => {
      shape[axis] = sizes[at];
    });
    // Cropping starts at ⌊(from − to) / 2⌋; padding leaves ⌊(to − from) / 2⌋ zeros before.
    const shift = shape.map((to, axis) => Math.trunc((tensor.shape[axis] - to) / 2));
    const strides = stridesOf(tensor.shape);
    const offsets = new Int32Array(elementCount(shape));
    forEachIndex(shape, (index, position) => {
      const from = index.map((at, axis) => at + shift[axis]);
      const inside = from.every((at, axis) => at >= 0 && at < tensor.shape[axis]);
      offsets[position] = inside ? from.reduce((sum, at, axis) => sum + at * strides[axis], 0) : -1;
    });
    return [gatherOffsets(tensor, shape, offsets)];
  },
};

export default op;
