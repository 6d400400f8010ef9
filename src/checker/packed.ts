/** Weights of 4 bits: a row of bytes for each output channel, two codes a byte, the low half first. */
import type {
  ConvCommand,
  DeconvCommand,
  MatMulCommand,
  Multipliers,
  Operand,
  WeightOperand,
} from "../schedule/program.ts";
import type { ChannelSums, Constant } from "./constants.ts";
import { countOf } from "./operand.ts";

type Linear = ConvCommand | DeconvCommand | MatMulCommand;

export function weightsOf(command: Linear): WeightOperand {
  return command.kind === "matmul" ? command.b : command.w;
}

interface Axes {
  readonly channel: number;
  /** Summed over, outer ones first; all others must be broadcast. */
  readonly summed: readonly number[];
}

function axesOf({ kind }: Linear, rank: number): Axes {
  if (kind === "conv") return { channel: 0, summed: [1, 2, 3] };
  return kind === "deconv" ? { channel: 1, summed: [0, 2, 3] } : { channel: rank - 1, summed: [rank - 2] };
}

interface Rows {
  readonly channels: number;
  readonly depth: number;
  /** Bytes from row to row. */
  readonly step: number;
}

/** Undefined where the strides are not those of rows. */
export function rowsOf(command: Linear): Rows | undefined {
  const { shape, strides } = weightsOf(command);
  const { channel, summed } = axesOf(command, shape.length);
  const depth = countOf(summed.map((axis) => shape[axis]));
  const isRow = summed.every((axis, at) => {
    return shape[axis] === 1 || strides[axis] === countOf(summed.slice(at + 1).map((inner) => shape[inner]));
  });
  const isOne = shape.every((size, axis) => axis === channel || summed.includes(axis) || size === 1 || !strides[axis]);
  const least = Math.ceil(depth / 2);
  const step = shape[channel] === 1 ? least : strides[channel] / 2;
  return isRow && isOne && Number.isInteger(step) && step >= least
    ? { channels: shape[channel], depth, step }
    : undefined;
}

/** Whether two codes share a byte along one axis of a product's right operand and every other step is whole bytes. */
export function isPaired(command: Linear): boolean {
  return command.kind === "matmul" && command.multipliers === undefined && pairedAxis(command.b) !== undefined;
}

function pairedAxis({ shape, strides }: WeightOperand): number | undefined {
  const found = strides.findIndex((stride, axis) => stride === 1 && shape[axis] % 2 === 0);
  const isWhole = strides.every((stride, axis) => axis === found || stride % 2 === 0);
  return found >= 0 && isWhole ? found : undefined;
}

/** The bytes of a command's weights; of packed ones without rows, the first only: the form check refuses the command. */
export function weightBytes(command: Linear): Operand {
  const { dtype, ...view } = weightsOf(command);
  if (dtype !== "int4") return { ...view, dtype };
  const rows = rowsOf(command);
  const paired = rows || !isPaired(command) ? undefined : pairedAxis(weightsOf(command));
  if (paired !== undefined) {
    const half = (list: readonly number[], at: number) => list.map((value, axis) => (axis === paired ? at : value / 2));
    const sizes = view.shape.map((size, axis) => (axis === paired ? size / 2 : size));
    return { ...view, dtype: "uint8", shape: sizes, strides: half(view.strides, 1) };
  }
  const shape = rows ? [rows.channels, Math.ceil(rows.depth / 2)] : [1];
  return { ...view, dtype: "uint8", shape, strides: rows ? [rows.step, 1] : [1] };
}

/** How many multipliers a command's weights ask for; undefined where they are no packed rows or the blocks are none. */
export function multiplierCount(command: Linear, { block }: Multipliers): number | undefined {
  const rows = rowsOf(command);
  if (rows === undefined || !Number.isSafeInteger(block) || block < 1) return undefined;
  return rows.channels * Math.ceil(rows.depth / block);
}

/** What the unpacker can give: 4-bit codes, or their products with multipliers, saturated. */
export function unpackedRange(command: Linear): { readonly low: number; readonly high: number } {
  return command.multipliers === undefined ? { low: -8, high: 7 } : { low: -127, high: 127 };
}

/** Σ of the positive and of the negative weights by channel, as the array sees them. */
export function packedSums(
  command: Linear,
  { bytes, offset }: Constant,
  factors: Float64Array | undefined,
): ChannelSums {
  const { channels, depth, step } = rowsOf(command) as Rows;
  const { block } = command.multipliers ?? { block: depth };
  const blocks = Math.ceil(depth / block);
  const sums = { positive: new Float64Array(channels), negative: new Float64Array(channels) };
  for (let channel = 0; channel < channels; channel++) {
    for (let at = 0; at < depth; at++) {
      const byte = bytes[offset + channel * step + Math.floor(at / 2)];
      const half = at % 2 === 0 ? byte % 16 : Math.floor(byte / 16);
      const code = half < 8 ? half : half - 16;
      const product = code * (factors ? factors[channel * blocks + Math.floor(at / block)] : 1);
      const weight = Math.max(-127, Math.min(127, product));
      if (weight > 0) sums.positive[channel] += weight;
      else sums.negative[channel] += weight;
    }
  }
  return sums;
}
