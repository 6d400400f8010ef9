/** Constant weights of the array, on their way into the integer graph: in 8 bits, or in 4 with what unpacks them. */
import { unpackedWeights } from "../../ir/codes.ts";
import { elementCount, type Quant, type Tensor } from "../../ir/graph.ts";
import { decode, encode } from "../../ir/numbers.ts";
import { makeTensor, numbersOf, valuesOf } from "../../ir/tensor.ts";
import type { Code, LoweringContext } from "../integer.ts";
import { scaleOf } from "./post.ts";

/** Weights with one scale an output channel, or one for all. */
export interface Weights {
  /** What the array multiplies with: those of 4 bits times their multipliers. */
  readonly codes: Int8Array;
  readonly scales: Float32Array;
  /** As they are stored: int8 or int4. */
  readonly tensor: Tensor;
  /** The constant that holds them, or a hint for its name. */
  readonly name: string;
}

export function weightsOf(context: LoweringContext, index: number, channels: number): Weights | string {
  const tensor = context.constant(index);
  const code = context.input(index);
  if (!tensor || !code?.quant) return "its weights are computed at run time";
  if (tensor.dtype !== "int8" && tensor.dtype !== "int4") {
    return `its weights are ${tensor.dtype}, and the array multiplies int8`;
  }
  if (code.quant.block !== undefined) return "its weights have scales by block, and the array has one a channel";
  const scales = code.quant.scale;
  if (scales.length !== 1 && scales.length !== channels) return "its weight scales are not one an output channel";
  if (code.quant.zeroPoint.some((zero) => zero !== 0)) return "its weights have a zero point";
  return weights(tensor, scales, code.name);
}

function weights(tensor: Tensor, scales: Float32Array, name: string): Weights {
  const codes = tensor.dtype === "int8" ? (valuesOf(tensor) as Int8Array) : unpackedWeights(tensor);
  return { codes, scales, tensor, name };
}

/**
 * A channel of weights near zero has so fine a scale that its bias, in the accumulator's unit, is beyond 32 bits. Such a
 * channel gets a coarser scale, at which its bias just fits: what its weights lose is less than the bias's own rounding.
 */
export function withRoomForBias(context: LoweringContext, x: Code, given: Weights, axis: number, gain = 1): Weights {
  const bias = context.constant(2);
  const { tensor } = given;
  if (!bias || bias.quant) return given;
  const reals = numbersOf(bias);
  const channels = tensor.shape[axis];
  const least = (channel: number) => Math.abs(reals[reals.length === 1 ? 0 : channel]) / (scaleOf(x) * gain * 2 ** 30);
  const before = (channel: number) => given.scales[given.scales.length === 1 ? 0 : channel];
  const scales = Float32Array.from({ length: channels }, (_, channel) => Math.max(before(channel), least(channel)));
  if (scales.every((scale, channel) => scale === before(channel))) return given;
  const inner = elementCount(tensor.shape.slice(axis + 1));
  const codes = Array.from(decode(tensor) as ArrayLike<number>, (code, index) => {
    const channel = Math.floor(index / inner) % channels;
    return Math.round((code * before(channel)) / scales[channel]);
  });
  const quant: Quant = { ...tensor.quant, scale: scales, zeroPoint: Int32Array.of(0), axis };
  const coarse = makeTensor(tensor.dtype, tensor.shape, encode(tensor.dtype, codes), quant);
  return weights(coarse, scales, `${given.name}/coarse`);
}

/** Weights [rows, columns], one row an output channel, with their channels along the columns. */
export function transposedWeights({ tensor, scales, name }: Weights, rows: number, columns: number): Weights {
  const codes = decode(tensor) as ArrayLike<number>;
  const turned = new Int8Array(codes.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = codes[row * columns + column];
  }
  const { multipliers } = tensor.quant ?? {};
  const quant: Quant = {
    scale: scales,
    zeroPoint: Int32Array.of(0),
    ...((scales.length > 1 || multipliers) && { axis: 1 }),
    ...(multipliers && { multipliers }),
  };
  return weights(makeTensor(tensor.dtype, [columns, rows], encode(tensor.dtype, turned), quant), scales, `${name}/kn`);
}

/** The int8 value that a linear operator reads: a constant, or what comes out of the unpacker. */
export function weightsValue(context: LoweringContext, { tensor, scales, name }: Weights): string {
  if (tensor.dtype === "int8") return context.constant(1) === tensor ? name : context.add(tensor, name);
  const { dtype, shape, data, quant: { axis, multipliers } = {} } = tensor;
  const inputs = [context.add({ dtype, shape, data }, `${name}/packed`)];
  const blocks = multipliers && shape[axis ?? 0] > 0 ? multipliers.values.length / shape[axis ?? 0] : 0;
  if (multipliers && axis !== undefined) {
    const factors = makeTensor("uint8", [shape[axis], blocks], multipliers.values);
    inputs.push(context.add(factors, `${name}/multipliers`));
  }
  return context.emit({
    op: "UnpackWeights",
    inputs,
    attrs: multipliers ? { axis: { i: axis ?? 0 }, block: { i: multipliers.block } } : {},
    type: {
      dtype: "int8",
      shape,
      quant: { scale: scales, zeroPoint: Int32Array.of(0), ...(axis !== undefined && { axis }) },
    },
  });
}

export function sumOfMagnitudes(codes: Int8Array, start: number, count: number, step: number): number {
  let sum = 0;
  for (let index = 0, at = start; index < count; index++, at += step) sum += Math.abs(codes[at]);
  return sum;
}
