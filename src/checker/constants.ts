/** The weights section as operands see it once it has been copied to SRAM. */
import type { Operand } from "../schedule/program.ts";
import { countOf, sizeOf } from "./operand.ts";

/** Where the elements of a constant operand are: its `address` is byte `offset` of `bytes`. */
export interface Constant {
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** Equal keys mean equal bytes; absent where that is not known. */
  readonly key?: string;
}

type Reader = (view: DataView, at: number) => number;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["int8", (view, at) => view.getInt8(at)],
  ["uint8", (view, at) => view.getUint8(at)],
  ["bool", (view, at) => view.getUint8(at)],
  ["int16", (view, at) => view.getInt16(at, true)],
  ["uint16", (view, at) => view.getUint16(at, true)],
  ["int32", (view, at) => view.getInt32(at, true)],
  ["uint32", (view, at) => view.getUint32(at, true)],
  ["int64", (view, at) => Number(view.getBigInt64(at, true))],
  ["uint64", (view, at) => Number(view.getBigUint64(at, true))],
  ["float32", (view, at) => view.getFloat32(at, true)],
  ["float64", (view, at) => view.getFloat64(at, true)],
]);

/** The numbers of a constant, in the order of its axes; undefined for types that are not read as numbers. */
export function numbersOf(operand: Operand, { bytes, offset }: Constant): Float64Array | undefined {
  const read = READERS.get(operand.dtype);
  if (read === undefined) return undefined;
  const { shape, strides } = operand;
  const size = sizeOf(operand.dtype);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(countOf(shape));
  const index = shape.map(() => 0);
  let at = offset;
  for (let count = 0; count < values.length; count++) {
    values[count] = read(view, at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis] * size;
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * size * shape[axis];
      index[axis] = 0;
    }
  }
  return values;
}

/** Per channel, Σ of the positive and Σ of the negative weights. */
export interface ChannelSums {
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}

/** An axis of a sum: `channel` is its step among the channels, 0 for an axis that is summed over. */
export interface SumAxis {
  readonly count: number;
  readonly stride: number;
  readonly channel: number;
}

/** Sums of so many terms at most stay within 32 bits: |w − zero| < 2^9. */
const NARROW = 2 ** 22;

/** Σ max(0, w − zero) and Σ min(0, w − zero) by channel, over int8 weights: half of Σ|w| ± Σw. */
export function channelSums(
  { bytes, offset }: Constant,
  axes: readonly SumAxis[],
  channels: number,
  zero: number,
): ChannelSums {
  const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const terms = axes.reduce((product, { count }) => product * count, 1) / channels;
  const Sums = terms <= NARROW ? Int32Array : Float64Array;
  const [sums, sizes] = [new Sums(channels), new Sums(channels)];
  const sorted = axes.filter(({ count }) => count > 1).sort((a, b) => Math.abs(b.stride) - Math.abs(a.stride));
  const inner = sorted.pop() ?? { count: 1, stride: 0, channel: 0 };
  const index = sorted.map(() => 0);
  let [at, channel] = [offset, 0];
  for (;;) {
    addRow(codes, at, inner, zero, sums, sizes, channel);
    let axis = sorted.length - 1;
    for (; axis >= 0; axis--) {
      const { count, stride, channel: step } = sorted[axis];
      at += stride;
      channel += step;
      if (++index[axis] < count) break;
      at -= stride * count;
      channel -= step * count;
      index[axis] = 0;
    }
    if (axis < 0) break;
  }
  return {
    positive: Float64Array.from(sums, (sum, one) => (sizes[one] + sum) / 2),
    negative: Float64Array.from(sums, (sum, one) => (sum - sizes[one]) / 2),
  };
}

type Sums = Int32Array | Float64Array;

function addRow(
  codes: Int8Array,
  at: number,
  { count, stride, channel }: SumAxis,
  zero: number,
  sums: Sums,
  sizes: Sums,
  first: number,
): void {
  if (channel === 0) {
    let [sum, size] = [0, 0];
    for (let i = 0, from = at; i < count; i++, from += stride) {
      const weight = codes[from] - zero;
      sum += weight;
      size += Math.abs(weight);
    }
    sums[first] += sum;
    sizes[first] += size;
    return;
  }
  for (let i = 0, from = at, to = first; i < count; i++, from += stride, to += channel) {
    const weight = codes[from] - zero;
    sums[to] += weight;
    sizes[to] += Math.abs(weight);
  }
}
