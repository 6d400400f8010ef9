import { elementCount, intAttr, type Node } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { spaceToDepthGradient } from "./gradient/move.ts";
import { lowerSpaceToDepth } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { forEachIndex } from "./shared/index.ts";
import { makeType, mapDim, multiplyDims, reject, requireRank, typeAt } from "./shared/types.ts";
import { gatherOffsets, tensorAt } from "./shared/values.ts";

function blockOf(node: Node): number {
  const block = intAttr(node, "blocksize", 0);
  return block > 0 ? block : reject(node, `the blocksize is ${block}`);
}

function divided(node: Node, size: number, block: number): number {
  return size % block === 0 ? size / block : reject(node, `${size} does not divide into blocks of ${block}`);
}

/** Output channel (y·block + x)·C + c at (h, w) is input channel c at (h·block + y, w·block + x). */
const op: Op = {
  gradient: spaceToDepthGradient,
  integer: lowerSpaceToDepth,
  operands: { data: [0] },
  passesThrough: true,
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0);
    requireRank(node, type, 0, 4, 4);
    const block = blockOf(node);
    if (type.shape === undefined) return [makeType(type.dtype)];
    const [batch, channels, height, width] = type.shape;
    const shrink = (size: number) => divided(node, size, block);
    const deep = multiplyDims([channels, block * block]);
    return [makeType(type.dtype, [batch, deep, mapDim(height, shrink), mapDim(width, shrink)])];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const block = blockOf(node);
    const [batch, channels, height, width] = data.shape;
    const shape = [batch, channels * block * block, divided(node, height, block), divided(node, width, block)];
    const strides = stridesOf(data.shape);
    const offsets = new Int32Array(elementCount(shape));
    forEachIndex(shape, ([n, deep, h, w], position) => {
      const inBlock = Math.floor(deep / channels);
      const row = h * block + Math.floor(inBlock / block);
      const column = w * block + (inBlock % block);
      offsets[position] = n * strides[0] + (deep % channels) * strides[1] + row * strides[2] + column;
    });
    return [gatherOffsets(data, shape, offsets)];
  },
};

export default op;
