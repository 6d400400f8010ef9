import { intsAttr, type Node } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { transposeGradient } from "./gradient/move.ts";
import { lowerTranspose } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { stridedOffsets } from "./shared/index.ts";
import { makeType, reject, typeAt } from "./shared/types.ts";
import { gatherOffsets, tensorAt } from "./shared/values.ts";

/** `perm[i]` is the input axis that becomes axis `i`; absent reverses them. */
function permutation(node: Node, rank: number): number[] {
  const perm = intsAttr(node, "perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const sorted = perm.toSorted((a, b) => a - b);
  if (perm.length !== rank || sorted.some((axis, index) => axis !== index)) {
    reject(node, `perm [${perm}] does not permute ${rank} axes`);
  }
  return perm;
}

/** The axes in another order. */
const op: Op = {
  gradient: transposeGradient,
  integer: lowerTranspose,
  passesThrough: true,
  infer(node, inputs) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    return [makeType(dtype, shape && permutation(node, shape.length).map((axis) => shape[axis]))];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const perm = permutation(node, data.shape.length);
    const shape = perm.map((axis) => data.shape[axis]);
    const strides = stridesOf(data.shape);
    const offsets = stridedOffsets(
      shape,
      perm.map((axis) => strides[axis]),
    );
    return [gatherOffsets(data, shape, offsets)];
  },
};

export default op;
