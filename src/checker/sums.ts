/** Sums of weights: what a channel's products can add up to. */
import type { ConvCommand, DeconvCommand, MatMulCommand } from "../schedule/program.ts";
import { type ChannelSums, channelSums, type SumAxis } from "./constants.ts";
import { type Interval, shifted } from "./interval.ts";
import { countOf } from "./operand.ts";
import type { Known } from "./ranges.ts";

type Linear = ConvCommand | DeconvCommand | MatMulCommand;

/** Products that one sum has at most. */
export function depthOf(command: Linear): number {
  if (command.kind === "matmul") return command.a.shape[command.a.shape.length - 1];
  const { w, groups } = command;
  const inputs = command.kind === "conv" ? w.shape[1] : w.shape[0] / groups;
  return inputs * countOf(w.shape.slice(2));
}

/** The axes of the weights, and where a channel lies along them. Batches of matrices count as channels of their own. */
function axesOf(command: Linear): { axes: SumAxis[]; channels: number } {
  const { shape, strides } = command.kind === "matmul" ? command.b : command.w;
  const summed = (axis: number): SumAxis => ({ count: shape[axis], stride: strides[axis], channel: 0 });
  if (command.kind === "conv") {
    const first = { count: shape[0], stride: strides[0], channel: 1 };
    return { axes: [first, summed(1), summed(2), summed(3)], channels: shape[0] };
  }
  if (command.kind === "deconv") {
    const inputs = shape[0] / command.groups;
    const group = { count: command.groups, stride: strides[0] * inputs, channel: shape[1] };
    const row = { count: inputs, stride: strides[0], channel: 0 };
    const own = { count: shape[1], stride: strides[1], channel: 1 };
    return { axes: [group, row, own, summed(2), summed(3)], channels: command.groups * shape[1] };
  }
  const rank = shape.length;
  const columns = shape[rank - 1];
  const axes: SumAxis[] = [summed(rank - 2), { count: columns, stride: strides[rank - 1], channel: 1 }];
  let channels = columns;
  for (let axis = 0; axis < rank - 2; axis++) {
    if (strides[axis] === 0 || shape[axis] === 1) continue;
    axes.push({ count: shape[axis], stride: strides[axis], channel: channels });
    channels *= shape[axis];
  }
  return { axes, channels };
}

/** Of several matrices in one command, the most of every column: all have the same bias and multiplier. */
function folded({ positive, negative }: ChannelSums, columns: number): ChannelSums {
  if (positive.length === columns) return { positive, negative };
  const most: ChannelSums = { positive: new Float64Array(columns), negative: new Float64Array(columns) };
  positive.forEach((sum, at) => {
    most.positive[at % columns] = Math.max(most.positive[at % columns], sum);
    most.negative[at % columns] = Math.min(most.negative[at % columns], negative[at]);
  });
  return most;
}

/** Per output channel, from the weights' bytes where they are constant, from their range where they are not. */
export function sumsOf(command: Linear, known: Known): ChannelSums {
  const [role, operand, zero] =
    command.kind === "matmul" ? (["b", command.b, command.bZero] as const) : (["w", command.w, 0] as const);
  const value = known.value(role);
  const columns = command.kind === "matmul" ? operand.shape[operand.shape.length - 1] : command.y.shape[1];
  if (value.constant === undefined) {
    const { low, high } = shifted(value, -zero);
    const depth = depthOf(command);
    return {
      positive: new Float64Array(columns).fill(Math.max(0, high) * depth),
      negative: new Float64Array(columns).fill(Math.min(0, low) * depth),
    };
  }
  const groups = command.kind === "deconv" ? command.groups : 0;
  const key =
    value.constant.key &&
    `${command.kind} ${groups} ${value.constant.key} [${operand.shape}] [${operand.strides}] ${zero}`;
  const before = key === undefined ? undefined : known.memo.get(key);
  if (before) return before;
  const { axes, channels } = axesOf(command);
  const sums = folded(channelSums(value.constant, axes, channels, zero), columns);
  if (key !== undefined) known.memo.set(key, sums);
  return sums;
}

/** Bounds of the two halves of a sum over 16-bit terms: u = 256·(u >> 8) + (u & 255). */
export function splitSums(terms: Interval, { positive, negative }: ChannelSums): { high: Interval; low: Interval } {
  const [from, to] = [Math.floor(terms.low / 256), Math.floor(terms.high / 256)];
  const bound = (low: number, high: number): Interval => {
    const range = { low: 0, high: 0 };
    positive.forEach((sum, channel) => {
      range.low = Math.min(range.low, sum * low + negative[channel] * high);
      range.high = Math.max(range.high, sum * high + negative[channel] * low);
    });
    return range;
  };
  return { high: bound(from, to), low: bound(0, 255) };
}
