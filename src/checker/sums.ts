/** Sums of weights: what a channel's products can add up to. */
import type { ConvCommand, DeconvCommand, MatMulCommand } from "../schedule/program.ts";
import { type ChannelSums, type Constant, channelSums, numbersOf, type SumAxis } from "./constants.ts";
import { hull, type Interval, scaled, shifted, times, withZero } from "./interval.ts";
import { countOf } from "./operand.ts";
import { packedSums, rowsOf, unpackedRange } from "./packed.ts";
import type { Known } from "./ranges.ts";

export type Linear = ConvCommand | DeconvCommand | MatMulCommand;

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

/** What the products of every output channel add up to where the other factor is within `terms`, an interval with 0. */
export type Products = (terms: Interval) => readonly Interval[];

/**
 * From the weights' bytes where they are constant, from their range where they are not: then all channels are alike. Undefined
 * where there are more than may be read.
 */
export function productsOf(command: Linear, known: Known): Products | undefined {
  const [role, operand, zero] =
    command.kind === "matmul" ? (["b", command.b, command.bZero] as const) : (["w", command.w, 0] as const);
  const packed = operand.dtype === "int4";
  const value = known.value(role);
  const factors = packed && command.multipliers ? known.value("multipliers") : undefined;
  const isLaid = !packed || rowsOf(command) !== undefined;
  if (value.constant === undefined || (factors && factors.constant === undefined) || !isLaid) {
    const factor = shifted(packed ? unpackedRange(command) : value, -zero);
    return (terms) => [scaled(withZero(times(terms, factor)), depthOf(command))];
  }
  const columns = command.kind === "matmul" ? operand.shape[operand.shape.length - 1] : command.y.shape[1];
  const groups = command.kind === "deconv" ? command.groups : 0;
  const scaledBy = factors?.constant ? ` ${factors.constant.key} each ${command.multipliers?.block}` : "";
  const isKnown = value.constant.key !== undefined && (!factors || factors.constant?.key !== undefined);
  const key =
    isKnown &&
    `${command.kind} ${groups} ${value.constant.key} ${operand.dtype} [${operand.shape}] [${operand.strides}] ${zero}${scaledBy}`;
  let sums = key ? known.memo.get(key) : undefined;
  if (!sums) {
    if (!known.affords(countOf(operand.shape))) return undefined;
    const { axes, channels } = axesOf(command);
    sums = packed
      ? packedSums(command, value.constant, multipliersOf(command, factors?.constant))
      : folded(channelSums(value.constant, axes, channels, zero), columns);
    if (key) known.memo.set(key, sums);
  }
  const { positive, negative } = sums;
  return ({ low, high }) =>
    Array.from(positive, (sum, channel) => ({
      low: sum * low + negative[channel] * high,
      high: sum * high + negative[channel] * low,
    }));
}

function multipliersOf({ multipliers }: Linear, constant: Constant | undefined): Float64Array | undefined {
  return multipliers && constant ? numbersOf(multipliers.values, constant) : undefined;
}

/** The two halves of 16-bit terms, u = 256·(u >> 8) + (u & 255): what either adds up to. */
export function halvesOf(terms: Interval, products: Products): { high: Interval; low: Interval } {
  const bytes = { low: Math.floor(terms.low / 256), high: Math.floor(terms.high / 256) };
  return { high: products(bytes).reduce(hull), low: products({ low: 0, high: 255 }).reduce(hull) };
}
