import { elementCount, type Quant, type Tensor } from "../ir/graph.ts";
import { pack } from "../ir/numbers.ts";
import { makeTensor, stridesOf, valuesOf } from "../ir/tensor.ts";
import type { Block, WeightScales } from "./format.ts";
import { nearestRows } from "./rounding/nearest.ts";

/** The lowest and highest code. */
const [LOW, HIGH] = [-8, 7];
/** The largest magnitude of code · multiplier, and of a multiplier: 17 · 7 = 119 leaves room in int8 (QServe, §4.1). */
const REACH = 119;
const LARGEST_MULTIPLIER = 17;
/** Steps that are tried of a channel or block whose squared error is to be least: from the largest magnitude's down to half. */
const SHRINKS = 26;
const SMALLEST_SHRINK = 0.5;

/**
 * The elements of each index of `axis`, one row each, in row-major order of the other axes; one row without an axis.
 * `position(row, column)` is where an element lies in the tensor.
 */
export function rowsOf(shape: readonly number[], axis: number | undefined) {
  const count = elementCount(shape);
  if (axis === undefined) return { rows: 1, columns: count, position: (_: number, column: number) => column };
  const rows = shape[axis];
  const inner = stridesOf(shape)[axis];
  const position = (row: number, column: number) =>
    Math.floor(column / inner) * inner * rows + row * inner + (column % inner);
  return { rows, columns: rows === 0 ? 0 : count / rows, position };
}

/**
 * Weights of 4 bits, rounded to nearest: real = code · multiplier of its block · scale of its channel. With `block` "all" there
 * are no multipliers, and the channel's scale is the only step. Otherwise the channel's scale makes its largest magnitude 119,
 * the largest int8 that the unpacker may give, and each block has the multiplier from 1 to 17 that serves it best.
 */
export function quantizeInt4(tensor: Tensor, axis: number | undefined, block: Block, scales: WeightScales): Tensor {
  const values = valuesOf(tensor) as ArrayLike<number>;
  const { rows, columns, position } = rowsOf(tensor.shape, axis);
  const size = axis === undefined || block === "all" ? columns : block;
  if (axis === 0 && scales === "max" && size % 32 === 0 && columns > size && columns % size === 0) {
    const fast = nearestInt4(tensor, rows, columns, size);
    if (fast) return fast;
  }
  const blocks = size === 0 ? 0 : Math.ceil(columns / size);
  const typical = largestOf(values, values.length, (index) => index) || 1e-30;
  const scale = new Float32Array(rows);
  const multipliers = new Uint8Array(rows * blocks).fill(1);
  const codes = new Int8Array(values.length);
  const row = new Float64Array(columns);
  for (let channel = 0; channel < rows; channel++) {
    for (let column = 0; column < columns; column++) row[column] = values[position(channel, column)];
    const peak = largestOf(row, columns, (index) => index);
    // A channel of zeros has no scale of its own: any positive one serves that its bias survives.
    const reach = peak === 0 ? typical : Math.max(peak, typical * 2 ** -16);
    if (blocks <= 1) scale[channel] = stepOf(row, reach, scales);
    else {
      scale[channel] = reach / REACH;
      for (let at = 0; at < blocks; at++) {
        const part = row.subarray(at * size, Math.min(columns, (at + 1) * size));
        multipliers[channel * blocks + at] = multiplierOf(part, scale[channel], scales);
      }
    }
    for (let column = 0; column < columns; column++) {
      const factor = blocks <= 1 ? 1 : multipliers[channel * blocks + Math.floor(column / size)];
      codes[position(channel, column)] = codeOf(row[column], scale[channel] * factor, factor);
    }
  }
  const quant: Quant = {
    scale,
    zeroPoint: Int32Array.of(0),
    ...(axis === undefined ? {} : { axis }),
    ...(blocks > 1 && { multipliers: { block: size, values: multipliers } }),
  };
  return makeTensor("int4", tensor.shape, pack("int4", 4, codes), quant);
}

/** Rows that lie in whole blocks, by the kernel that reads them once; undefined where one is too small to have its own scale. */
function nearestInt4(tensor: Tensor, rows: number, columns: number, block: number): Tensor | undefined {
  const values = valuesOf(tensor);
  if (!(values instanceof Float32Array)) return undefined;
  const made = nearestRows(values, rows, columns, block, LARGEST_MULTIPLIER);
  const typical = made.scale.reduce((most, scale) => Math.max(most, scale), 0);
  if (!(typical > 0) || made.scale.some((scale) => scale > 0 && scale < typical * 2 ** -16)) return undefined;
  const scale = made.scale.map((own) => (own === 0 ? typical : own));
  const quant: Quant = {
    scale,
    zeroPoint: Int32Array.of(0),
    axis: 0,
    multipliers: { block, values: made.multipliers },
  };
  return makeTensor("int4", tensor.shape, made.codes, quant);
}

function largestOf(values: ArrayLike<number>, count: number, at: (index: number) => number): number {
  let largest = 0;
  for (let index = 0; index < count; index++) largest = Math.max(largest, Math.abs(values[at(index)]));
  return largest;
}

function codeOf(value: number, step: number, multiplier: number): number {
  const low = Math.max(LOW, -Math.floor(REACH / multiplier));
  return Math.min(HIGH, Math.max(low, Math.round(value / step)));
}

function errorOf(values: Float64Array, step: number, multiplier: number, least: number): number {
  let error = 0;
  for (let index = 0; index < values.length && error < least; index++) {
    error += (codeOf(values[index], step, multiplier) * step - values[index]) ** 2;
  }
  return error;
}

/** The step of numbers that no multiplier serves. */
function stepOf(values: Float64Array, reach: number, scales: WeightScales): number {
  if (scales === "max") return reach / HIGH;
  let [best, least] = [reach / HIGH, Number.POSITIVE_INFINITY];
  for (let trial = 0; trial < SHRINKS; trial++) {
    const step = (reach / HIGH) * (1 - (trial * (1 - SMALLEST_SHRINK)) / (SHRINKS - 1));
    const error = errorOf(values, step, 1, least);
    if (error < least) [best, least] = [step, error];
  }
  return best;
}

/** The multiplier of a block: the least that clips nothing, or the one of least squared error. */
function multiplierOf(values: Float64Array, scale: number, scales: WeightScales): number {
  const largest = largestOf(values, values.length, (index) => index) / scale;
  const whole = Math.min(LARGEST_MULTIPLIER, Math.max(1, Math.ceil(largest / HIGH - 1e-6)));
  if (scales === "max") return whole;
  let [best, least] = [whole, Number.POSITIVE_INFINITY];
  for (let multiplier = whole; multiplier >= Math.max(1, Math.floor(whole * SMALLEST_SHRINK)); multiplier--) {
    const error = errorOf(values, scale * multiplier, multiplier, least);
    if (error < least) [best, least] = [multiplier, error];
  }
  return best;
}
