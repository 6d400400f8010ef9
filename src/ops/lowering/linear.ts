import {
  type Attr,
  elementCount,
  floatAttr,
  intAttr,
  intsAttr,
  type Node,
  stringAttr,
  type Tensor,
} from "../../ir/graph.ts";
import { makeTensor, valuesOf } from "../../ir/tensor.ts";
import type { Code, IntegerLowering, LoweringContext } from "../integer.ts";
import { alignTo } from "./elementwise.ts";
import { postStage, reachOf, scaleOf, zeroOf } from "./post.ts";
import {
  sumOfMagnitudes,
  transposedWeights,
  type Weights,
  weightsOf,
  weightsValue,
  withRoomForBias,
} from "./weights.ts";

/**
 * Units, bias and bound of a linear operator: channel c's accumulator counts in x's scale times its weights' scale
 * (single precision, as ONNX's QLinear operators have it).
 */
function accumulator(
  context: LoweringContext,
  x: Code,
  { scales }: Weights,
  channels: number,
  magnitude: (channel: number) => number,
  biasIndex: number,
  gain = 1,
  biasGain = 1,
): { units: number[]; bias: string; limit: number } | string {
  const units = Array.from({ length: channels }, (_, channel) =>
    Math.fround(Math.fround(scaleOf(x)) * Math.fround(scales[scales.length === 1 ? 0 : channel])),
  );
  const tensor = context.constant(biasIndex);
  if (!tensor && context.node.inputs[biasIndex]) return "its bias is computed at run time";
  const real = tensor ? Array.from(valuesOf(tensor) as ArrayLike<number>, Number) : [];
  if (tensor && real.length !== channels && real.length !== 1) return "its bias is not one number an output channel";
  const codes = new Int32Array(channels);
  let limit = 0;
  for (let channel = 0; channel < channels; channel++) {
    const value = real.length === 0 ? 0 : real[real.length === 1 ? 0 : channel];
    // An already quantized bias carries its own scale; a float one is rounded to the accumulator's unit.
    const scale = tensor?.quant?.scale[tensor.quant.scale.length === 1 ? 0 : channel] ?? 1;
    const code = Math.round((value * scale * biasGain) / (units[channel] * gain));
    if (Math.abs(code) >= 2 ** 31)
      return `its bias ${value} is beyond 32 bits at the accumulator's scale ${units[channel]}`;
    codes[channel] = code;
    limit = Math.max(limit, magnitude(channel) * reachOf(x) + Math.abs(code));
  }
  const bias = context.add(makeTensor("int32", [channels], codes), `${context.output(0).name}/bias`);
  return { units: units.map((unit) => unit * gain), bias, limit };
}

function windowAttrs(node: Node, spatial: number): Record<string, Attr | undefined> | string {
  const pad = stringAttr(node, "auto_pad", "NOTSET");
  if (pad !== "NOTSET" && pad !== "VALID") return `auto_pad ${pad} was not made explicit`;
  return {
    strides: { ints: intsAttr(node, "strides") ?? new Array(spatial).fill(1) },
    pads: { ints: intsAttr(node, "pads") ?? new Array(2 * spatial).fill(0) },
    dilations: { ints: intsAttr(node, "dilations") ?? new Array(spatial).fill(1) },
    group: { i: intAttr(node, "group", 1) },
  };
}

export const lowerConv: IntegerLowering = (context) => {
  const x = context.input(0);
  const w = context.input(1);
  if (!x || !w) return "an input has no quantization";
  const spatial = x.shape.length - 2;
  if (spatial < 1 || spatial > 2) return `a convolution over ${spatial} axes has no mapping on the array`;
  const window = windowAttrs(context.node, spatial);
  if (typeof window === "string") return window;
  const channels = w.shape[0];
  const given = weightsOf(context, 1, channels);
  if (typeof given === "string") return given;
  const weights = withRoomForBias(context, x, given, 0);
  const depth = weights.codes.length / channels;
  const magnitude = (channel: number) => sumOfMagnitudes(weights.codes, channel * depth, depth, 1);
  const sums = accumulator(context, x, weights, channels, magnitude, 2);
  if (typeof sums === "string") return sums;
  const post = postStage(context, sums.units, sums.limit, x.dtype === "int16");
  context.emit({
    op: "Conv",
    inputs: [x.name, weightsValue(context, weights), sums.bias, ...post.inputs],
    attrs: { ...post.attrs, ...window, x_zero: { i: zeroOf(x) } },
    type: typeOfCode(context.output(0)),
    name: context.output(0).name,
  });
};

/** output_shape as pads: what is too much goes, the larger half first (ONNX ConvTranspose). */
function padsFor(
  context: LoweringContext,
  x: Code,
  w: Code,
  given: Record<string, Attr | undefined>,
): Record<string, Attr | undefined> {
  const { node } = context;
  const spatial = x.shape.slice(2);
  const of = (name: string, otherwise: number) => intsAttr(node, name) ?? spatial.map(() => otherwise);
  const [strides, dilations, extra] = [of("strides", 1), of("dilations", 1), of("output_padding", 0)];
  const begin: number[] = [];
  const end: number[] = [];
  for (const [axis, size] of spatial.entries()) {
    const extent = (w.shape[axis + 2] - 1) * dilations[axis] + 1;
    const total = strides[axis] * (size - 1) + extra[axis] + extent - context.output(0).shape[axis + 2];
    begin.push(Math.max(0, total - Math.floor(total / 2)));
    end.push(total - begin[axis]);
  }
  return { ...given, pads: { ints: [...begin, ...end] } };
}

export const lowerConvTranspose: IntegerLowering = (context) => {
  const x = context.input(0);
  const w = context.input(1);
  if (!x || !w) return "an input has no quantization";
  const spatial = x.shape.length - 2;
  if (spatial < 1 || spatial > 2) return `a transposed convolution over ${spatial} axes has no mapping on the array`;
  const given = windowAttrs(context.node, spatial);
  if (typeof given === "string") return given;
  const window = intsAttr(context.node, "output_shape") ? padsFor(context, x, w, given) : given;
  const group = intAttr(context.node, "group", 1);
  const perGroup = w.shape[1];
  const channels = perGroup * group;
  const weights = weightsOf(context, 1, perGroup);
  if (typeof weights === "string") return weights;
  const kernel = elementCount(w.shape.slice(2));
  const rows = w.shape[0] / group;
  const magnitude = (channel: number) => {
    const first = Math.floor(channel / perGroup) * rows;
    let sum = 0;
    for (let row = first; row < first + rows; row++) {
      sum += sumOfMagnitudes(weights.codes, (row * perGroup + (channel % perGroup)) * kernel, kernel, 1);
    }
    return sum;
  };
  const scales = weights.scales;
  const spread = Float32Array.from({ length: channels }, (_, c) => scales[scales.length === 1 ? 0 : c % perGroup]);
  const sums = accumulator(context, x, { ...weights, scales: spread }, channels, magnitude, 2);
  if (typeof sums === "string") return sums;
  const post = postStage(context, sums.units, sums.limit, x.dtype === "int16");
  context.emit({
    op: "ConvTranspose",
    inputs: [x.name, weightsValue(context, weights), sums.bias, ...post.inputs],
    attrs: {
      ...post.attrs,
      ...window,
      output_padding: { ints: intsAttr(context.node, "output_padding") ?? new Array(spatial).fill(0) },
      x_zero: { i: zeroOf(x) },
    },
    type: typeOfCode(context.output(0)),
    name: context.output(0).name,
  });
};

export const lowerGemm: IntegerLowering = (context) => {
  const { node } = context;
  const x = context.input(0);
  const w = context.input(1);
  if (!x || !w) return "an input has no quantization";
  const tensor = context.constant(1);
  const alpha = floatAttr(node, "alpha", 1);
  if (alpha <= 0) return `alpha ${alpha} is not positive`;
  if (!tensor) return "its weights are computed at run time";
  const transposed = intAttr(node, "transB", 0) !== 0;
  const [depth, channels] = transposed ? [w.shape[1], w.shape[0]] : [w.shape[0], w.shape[1]];
  const given = weightsOf(context, 1, channels);
  if (typeof given === "string") return given;
  const weights = withRoomForBias(context, x, given, transposed ? 0 : 1, alpha / Math.abs(floatAttr(node, "beta", 1)));
  const columns = transposed ? transposedWeights(weights, channels, depth) : weights;
  const magnitude = (channel: number) => sumOfMagnitudes(columns.codes, channel, depth, channels);
  const sums = accumulator(context, x, weights, channels, magnitude, 2, alpha, floatAttr(node, "beta", 1));
  if (typeof sums === "string") return sums;
  const rows = intAttr(node, "transA", 0) === 0 ? x.name : transposeCode(context, x, [1, 0]).name;
  const b = weightsValue(context, columns);
  emitMatMul(context, rows, b, sums.bias, x, 0, postStage(context, sums.units, sums.limit, x.dtype === "int16"));
};

export const lowerMatMul: IntegerLowering = (context) => {
  const a = context.input(0);
  const right = context.input(1);
  if (!a || !right) return "an input has no quantization";
  const b = right.dtype === "int16" ? narrow(context, right) : right;
  if (a.shape.length < 2 || b.shape.length < 2) return "a product with a vector was not made into one of matrices";
  const depth = a.shape[a.shape.length - 1];
  const weights = context.constant(1);
  if (weights && b.quant && (b.quant.scale.length > 1 || b.dtype === "int4")) {
    const channels = b.shape[b.shape.length - 1];
    const found = weightsOf(context, 1, channels);
    if (typeof found === "string") return found;
    const magnitude = (channel: number) =>
      sumOfMagnitudes(found.codes, channel, found.codes.length / channels, channels);
    const sums = accumulator(context, a, found, channels, magnitude, 2);
    if (typeof sums === "string") return sums;
    emitMatMul(
      context,
      a.name,
      weightsValue(context, found),
      sums.bias,
      a,
      0,
      postStage(context, sums.units, sums.limit, a.dtype === "int16"),
    );
    return undefined;
  }
  if (b.dtype !== "int8") return `its second operand is ${b.dtype}, and the array's columns take int8`;
  if (a.dtype === "uint8") {
    // Unnormalised softmax weights: the sum of the row's codes divides the product, which then counts in b/2^16.
    const post = postStage(context, [scaleOf(b) / 2 ** 16], reachOf(b) * 2 ** 16 + 1, false);
    emitMatMul(context, a.name, b.name, "", a, zeroOf(b), post, true);
    return undefined;
  }
  const unit = Math.fround(scaleOf(a) * scaleOf(b));
  const limit = depth * reachOf(a) * reachOf(b);
  emitMatMul(context, a.name, b.name, "", a, zeroOf(b), postStage(context, [unit], limit, a.dtype === "int16"));
  return undefined;
};

/** The array's columns take 8 bits: codes of 16 are rounded to those of 256 times the scale. */
function narrow(context: LoweringContext, b: Code): Code {
  const quant = { scale: Float32Array.of(scaleOf(b) * 256), zeroPoint: Int32Array.of(0) };
  return alignTo(context, b, { ...b, dtype: "int8", quant });
}

function emitMatMul(
  context: LoweringContext,
  a: string,
  b: string,
  bias: string,
  left: Code,
  rightZero: number,
  post: ReturnType<typeof postStage>,
  normalise = false,
): void {
  context.emit({
    op: "MatMul",
    inputs: [a, b, bias, ...post.inputs],
    attrs: {
      ...post.attrs,
      a_zero: { i: zeroOf(left) },
      b_zero: { i: rightZero },
      normalise: normalise ? { i: 1 } : undefined,
    },
    type: typeOfCode(context.output(0)),
    name: context.output(0).name,
  });
}

export function typeOfCode(code: Code): { dtype: Code["dtype"]; shape: readonly number[]; quant?: Code["quant"] } {
  return code.quant
    ? { dtype: code.dtype, shape: code.shape, quant: code.quant }
    : { dtype: code.dtype, shape: code.shape };
}

export function transposeCode(context: LoweringContext, x: Code, perm: readonly number[], name?: string): Code {
  const shape = perm.map((axis) => x.shape[axis]);
  const type = typeOfCode({ ...x, shape });
  const made = context.emit({ op: "Transpose", inputs: [x.name], attrs: { perm: { ints: perm } }, type, name });
  return { ...x, name: made, shape };
}

export function reshapeCode(context: LoweringContext, x: Code, shape: readonly number[], name?: string): Code {
  const type = typeOfCode({ ...x, shape });
  const made = context.emit({ op: "Reshape", inputs: [x.name], attrs: { shape: { ints: shape } }, type, name });
  return { ...x, name: made, shape };
}

export function isScalarTensor(tensor: Tensor): boolean {
  return elementCount(tensor.shape) === 1;
}
