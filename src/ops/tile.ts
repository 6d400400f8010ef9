import type { Node } from "../ir/graph.ts";
import { elementCount } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { tileGradient } from "./gradient/move.ts";
import { lowerTile } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { forEachIndex } from "./shared/index.ts";
import { constantIntegers, makeType, multiplyDims, reject, typeAt, unknownShape } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

function checked(node: Node, repeats: readonly number[], rank: number): readonly number[] {
  if (repeats.length !== rank || repeats.some((times) => times < 0)) {
    reject(node, `the repeats [${repeats}] do not fit rank ${rank}`);
  }
  return repeats;
}

/** The tensor repeated along each axis as often as input 1 says. */
const op: Op = {
  gradient: tileGradient,
  integer: lowerTile,
  operands: { data: [0] },
  passesThrough: true,
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return [makeType(dtype)];
    const repeats = constantIntegers(context, 1);
    if (repeats === undefined) return [makeType(dtype, unknownShape(shape.length))];
    checked(node, repeats, shape.length);
    return [
      makeType(
        dtype,
        shape.map((dim, axis) => multiplyDims([dim, repeats[axis]])),
      ),
    ];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const repeats = checked(node, integersOf(tensorAt(node, inputs, 1)), data.shape.length);
    const shape = data.shape.map((dim, axis) => dim * repeats[axis]);
    const strides = stridesOf(data.shape);
    const offsets = new Int32Array(elementCount(shape));
    forEachIndex(shape, (index, position) => {
      offsets[position] = index.reduce((sum, at, axis) => sum + (at % data.shape[axis]) * strides[axis], 0);
    });
    return [gatherOffsets(data, shape, offsets)];
  },
};

export default op;
