import { type Dim, elementCount, type Node } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { forEachIndex, offsetOf } from "./shared/index.ts";
import { poolKernel } from "./shared/pool.ts";
import {
  constantIntegers,
  FLOATS,
  makeType,
  mapDim,
  reject,
  requireRank,
  typeAt,
  unknownShape,
} from "./shared/types.ts";
import { elementsOf, fromElements, integersOf, optionalTensorAt, room, tensorAt } from "./shared/values.ts";
import { windowAttrs } from "./shared/window.ts";

/** The size that pooling came from: (n − 1)·stride + kernel − pads. */
function unpooled(node: Node, shape: readonly Dim[]): Dim[] {
  const kernel = poolKernel(node);
  if (kernel.length !== shape.length - 2) reject(node, `the kernel [${kernel}] does not fit rank ${shape.length}`);
  const { strides, begin, end } = windowAttrs(node, kernel.length);
  const spatial = shape.slice(2).map((dim, axis) => {
    return mapDim(dim, (size) => (size - 1) * strides[axis] + kernel[axis] - begin[axis] - end[axis]);
  });
  return [...shape.slice(0, 2), ...spatial];
}

/** Puts each element where MaxPool's index says it came from; the rest is 0. A larger `output_shape` adds zeros at the ends. */
const op: Op = {
  hostOnly: "it writes at places that are computed at run time",
  infer(node, inputs, context) {
    const x = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, x, 0, 3);
    typeAt(node, inputs, 1, ["int64"]);
    if (x.shape === undefined) return [x];
    if ((node.inputs[2] ?? "") === "") return [makeType(x.dtype, unpooled(node, x.shape))];
    return [makeType(x.dtype, constantIntegers(context, 2) ?? unknownShape(x.shape.length))];
  },
  evaluate(node, inputs) {
    const [x, indices] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const wanted = optionalTensorAt(node, inputs, 2);
    const from = unpooled(node, x.shape) as number[];
    const shape = wanted ? integersOf(wanted) : from;
    if (shape.length !== from.length || from.some((size, axis) => size > shape[axis])) {
      reject(node, `an output of [${shape}] does not hold [${from}]`);
    }
    const values = elementsOf(x);
    const pooled = room(x.dtype, elementCount(from));
    integersOf(indices).forEach((place, index) => {
      if (!(place >= 0 && place < pooled.length)) reject(node, `index ${place} is outside of [${from}]`);
      pooled[place] = values[index];
    });
    const target = room(x.dtype, elementCount(shape));
    const strides = stridesOf(shape);
    forEachIndex(from, (index, position) => {
      target[offsetOf(index, strides)] = pooled[position];
    });
    return [fromElements(x.dtype, shape, target)];
  },
};

export default op;
