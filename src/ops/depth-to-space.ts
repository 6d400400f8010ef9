import { intAttr, type Node, stringAttr } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { depthToSpaceGradient } from "./gradient/move.ts";
import { lowerDepthToSpace } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { stridedOffsets } from "./shared/index.ts";
import { makeType, mapDim, reject, requireRank, typeAt } from "./shared/types.ts";
import { gatherOffsets, tensorAt } from "./shared/values.ts";

function blockOf(node: Node, channels: number): number {
  const block = intAttr(node, "blocksize", 0);
  if (block < 1) reject(node, `blocksize ${block} is not positive`);
  if (channels % (block * block) !== 0)
    reject(node, `${channels} channels do not divide into blocks of ${block}×${block}`);
  return block;
}

/**
 * Moves channels into b×b blocks of pixels: [n, c, h, w] → [n, c/b², h·b, w·b]. Channel order: DCR has the block's row and
 * column outermost (b, b, c/b²), CRD innermost (c/b², b, b).
 */
const op: Op = {
  gradient: depthToSpaceGradient,
  integer: lowerDepthToSpace,
  operands: { data: [0] },
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0);
    requireRank(node, type, 0, 4, 4);
    if (type.shape === undefined) return [type];
    const [batch, channels, height, width] = type.shape;
    const block = blockOf(node, typeof channels === "number" ? channels : 0);
    const shape = [
      batch,
      mapDim(channels, (size) => size / block ** 2),
      mapDim(height, (size) => size * block),
      mapDim(width, (size) => size * block),
    ];
    return [makeType(type.dtype, shape)];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const [batch, channels, height, width] = tensor.shape;
    const block = blockOf(node, channels);
    const depth = channels / block ** 2;
    const crd = stringAttr(node, "mode", "DCR") === "CRD";
    const split = crd ? [batch, depth, block, block, height, width] : [batch, block, block, depth, height, width];
    const strides = stridesOf(split);
    // Output order: batch, depth, height, block row, width, block column.
    const order = crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
    const offsets = stridedOffsets(
      order.map((axis) => split[axis]),
      order.map((axis) => strides[axis]),
    );
    return [gatherOffsets(tensor, [batch, depth, height * block, width * block], offsets)];
  },
  passesThrough: true,
};

export default op;
