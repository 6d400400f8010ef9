/** The unpacker between the weight port and the array: codes of 4 bits times their multipliers. */
import type { Multipliers, Operand, WeightOperand } from "../../schedule/program.ts";
import { forEachRow, gatherNumbers, type Memories, type Place, sizeOf } from "./memory.ts";

/** The axes of a linear command's weights. */
export interface WeightAxes {
  readonly channel: number;
  /** What is summed over, outer axes first: the order of the codes in a channel's row. */
  readonly reduction: readonly number[];
}

export const CONV_AXES: WeightAxes = { channel: 0, reduction: [1, 2, 3] };
export const DECONV_AXES: WeightAxes = { channel: 1, reduction: [0, 2, 3] };

/** b [B…, K, N] with one matrix for the whole batch. */
export function matMulAxes(rank: number): WeightAxes {
  return { channel: rank - 1, reduction: [rank - 2] };
}

interface Rows {
  readonly channels: number;
  readonly depth: number;
  /** Bytes from one row to the next, and of one. */
  readonly step: number;
  readonly length: number;
}

/** Packed weights as rows of bytes; undefined where their strides say something else. */
function rowsOf({ shape, strides }: WeightOperand, { channel, reduction }: WeightAxes): Rows | undefined {
  let depth = 1;
  for (const axis of reduction.toReversed()) {
    if (shape[axis] !== 1 && strides[axis] !== depth) return undefined;
    depth *= shape[axis];
  }
  const batch = shape.some((size, axis) => axis !== channel && !reduction.includes(axis) && size > 1 && strides[axis]);
  const length = Math.ceil(depth / 2);
  const step = shape[channel] === 1 ? length : strides[channel] / 2;
  if (batch || !Number.isInteger(step) || step < length) return undefined;
  return { channels: shape[channel], depth, step, length };
}

/** The bytes that packed weights lie in, and how many multipliers a block size asks for; undefined where they are no rows. */
export function packedBytes(
  weights: WeightOperand,
  axes: WeightAxes,
  block: number,
): { bytes: Operand; multipliers: number } | undefined {
  const rows = rowsOf(weights, axes);
  if (rows === undefined) return undefined;
  const { channels, depth, step, length } = rows;
  const { space, address } = weights;
  const bytes: Operand = { space, address, dtype: "uint8", shape: [channels, length], strides: [step, 1] };
  return { bytes, multipliers: channels * Math.ceil(depth / block) };
}

/**
 * Codes that lie two a byte along one axis, all other steps being whole bytes: matrices that were packed at run time. Undefined
 * where they do not.
 */
export function pairedBytes({ space, address, shape, strides }: WeightOperand): Operand | undefined {
  const paired = strides.findIndex((stride, axis) => stride === 1 && shape[axis] % 2 === 0);
  if (paired < 0 || strides.some((stride, axis) => axis !== paired && stride % 2 !== 0)) return undefined;
  return {
    space,
    address,
    dtype: "uint8",
    shape: shape.map((size, axis) => (axis === paired ? size / 2 : size)),
    strides: strides.map((stride, axis) => (axis === paired ? 1 : stride / 2)),
  };
}

/** Matrices that were packed at run time, as numbers in row-major order. */
function pairedCodes({ address, shape, strides }: WeightOperand, bytes: Uint8Array): Place {
  const data = new Int8Array(sizeOf(shape));
  let to = 0;
  forEachRow(shape, [strides], (count, [offset], [step]) => {
    for (let i = 0, at = offset; i < count; i++, at += step) {
      const byte = bytes[address + (at >> 1)];
      data[to++] = ((at & 1 ? byte : byte << 4) << 24) >> 28;
    }
  });
  const steps = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  return { data, offset: 0, shape, strides: steps };
}

/** The weights that the array multiplies with, as numbers in their own shape; `checkCommand` has seen the operands. */
export function weightsOf(
  weights: WeightOperand,
  axes: WeightAxes,
  multipliers: Multipliers | undefined,
  memories: Memories,
): Place {
  const { dtype, space, address, shape } = weights;
  if (dtype !== "int4") return memories.numbers({ ...weights, dtype });
  const memory = space === "sram" ? memories.sram : memories.dram;
  const rows = rowsOf(weights, axes);
  if (rows === undefined) return pairedCodes(weights, memory.bytes);
  const { channels, depth, step } = rows;
  const factors = multipliers && gatherNumbers(memories.numbers(multipliers.values));
  const block = multipliers?.block ?? depth;
  const blocks = Math.ceil(depth / block);
  const data = new Int8Array(channels * depth);
  for (let channel = 0; channel < channels; channel++) {
    for (let place = 0; place < depth; place++) {
      const byte = memory.bytes[address + channel * step + (place >> 1)];
      // The half of the byte, its sign carried up.
      const code = ((place & 1 ? byte : byte << 4) << 24) >> 28;
      const factor = factors ? factors[channel * blocks + Math.floor(place / block)] : 1;
      data[channel * depth + place] = Math.min(127, Math.max(-127, code * factor));
    }
  }
  const strides = shape.map(() => 0);
  strides[axes.channel] = depth;
  axes.reduction.forEach((axis, at) => {
    strides[axis] = sizeOf(axes.reduction.slice(at + 1).map((inner) => shape[inner]));
  });
  return { data, offset: 0, shape, strides };
}
