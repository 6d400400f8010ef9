/**
 * Gradients of normalizations. With x̂ = (x − μ)·r, r = 1/√(σ² + ε) over a group of n elements, and d the gradient by x̂:
 * `dx = r·(d − mean(d) − x̂·mean(d·x̂))`; without the mean taken off (RMS) the middle term is missing.
 */
import { elementCount, floatAttr, intAttr, type Node } from "../../ir/graph.ts";
import type { Gradient, GradientBuilder, GradientContext, Value } from "../gradient.ts";
import { axisAttr } from "../shared/types.ts";
import { channelSum } from "./convolution.ts";
import { castTo, square } from "./elementwise.ts";

function axesFrom(first: number, rank: number): number[] {
  return Array.from({ length: rank - first }, (_, at) => first + at);
}

/** Mean over axes that stay with size 1. */
export function meanOver(g: GradientBuilder, value: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return value;
  return g.mul(g.sum(value, axes, true), 1 / elementCount(axes.map((axis) => value.shape[axis])));
}

/** dx from d, x̂ and r, over the axes of one group. */
function back(
  g: GradientBuilder,
  d: Value,
  standard: Value,
  inverse: Value,
  axes: readonly number[],
  centred: boolean,
): Value {
  const along = g.mul(standard, meanOver(g, g.mul(d, standard), axes));
  const rest = centred ? g.sub(g.sub(d, meanOver(g, d, axes)), along) : g.sub(d, along);
  return g.mul(rest, inverse);
}

/** 1/√(mean(x²) + ε) over axes. */
function inverseDeviation(g: GradientBuilder, x: Value, axes: readonly number[], epsilon: number): Value {
  return g.emit("Reciprocal", [g.emit("Sqrt", [g.add(meanOver(g, square(g, x), axes), epsilon)])]);
}

export const layerNormGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [x, scale, bias] = [g.input(0), g.input(1), g.optional(2)];
  const axes = axesFrom(axisAttr(g.node, x.shape.length, -1), x.shape.length);
  const size = elementCount(axes.map((axis) => x.shape[axis]));
  if (elementCount(scale.shape) === size && elementCount(x.shape) > 0) return byProducts(g, dy, size);
  const inverse = castTo(g, g.output(2), x.dtype);
  const standard = g.mul(g.sub(x, castTo(g, g.output(1), x.dtype)), inverse);
  return [
    g.wants(0) ? back(g, g.mul(dy, scale), standard, inverse, axes, true) : undefined,
    g.wants(1) ? g.sumTo(g.mul(dy, standard), scale.shape) : undefined,
    bias && g.wants(2) ? g.sumTo(dy, bias.shape) : undefined,
  ];
};

/**
 * The same where scale s has a number for each place, on [groups, places]: with c = x − μ and e = dy·c, Σ d·x̂ of a group is
 * r·(e·s) and Σ dy·x̂ of a place rᵀ·e. These are products of a matrix and a vector, which read e and dy and write nothing, and
 * `dx = r·(dy·s − mean(dy·s) − c·r²·mean(e·s))`.
 */
function byProducts(g: GradientContext, dy: Value, size: number): (Value | undefined)[] {
  const [x, scale, bias] = [g.input(0), g.input(1), g.optional(2)];
  const groups = elementCount(x.shape) / size;
  const flat = (value: Value): Value => g.reshape(value, [groups, size]);
  const perGroup = (value: Value): Value => g.reshape(castTo(g, value, x.dtype), [groups, 1]);
  const [inverse, back] = [perGroup(g.output(2)), flat(dy)];
  const centred = g.sub(flat(x), perGroup(g.output(1)));
  const along = g.mul(back, centred);
  const factors = g.reshape(scale, [size, 1]);
  const mean = (value: Value): Value => g.mul(g.emit("MatMul", [value, factors]), 1 / size);
  const byInput = (): Value => {
    const part = g.mul(centred, g.mul(mean(along), g.mul(inverse, inverse)));
    const d = g.mul(back, g.reshape(scale, [size]));
    return g.reshape(g.mul(g.sub(g.sub(d, mean(back)), part), inverse), x.shape);
  };
  const byScale = (): Value => g.reshape(g.emit("MatMul", [g.reshape(inverse, [1, groups]), along]), scale.shape);
  return [
    g.wants(0) ? byInput() : undefined,
    g.wants(1) ? byScale() : undefined,
    bias && g.wants(2) ? g.sumTo(dy, bias.shape) : undefined,
  ];
}

export const rmsNormGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [x, scale] = [g.input(0), g.input(1)];
  const axes = axesFrom(axisAttr(g.node, x.shape.length, -1), x.shape.length);
  const inverse = inverseDeviation(g, x, axes, floatAttr(g.node, "epsilon", 1e-5));
  const standard = g.mul(x, inverse);
  return [
    g.wants(0) ? back(g, g.mul(dy, scale), standard, inverse, axes, false) : undefined,
    g.wants(1) ? g.sumTo(g.mul(dy, standard), scale.shape) : undefined,
  ];
};

/** Groups of channels of [n, c, …], each standardised as one; scale and bias are a channel's. */
export function groupNormGradient(groupsOf: (node: Node, channels: number) => number): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    if (dy === undefined) return [];
    const [x, scale] = [g.input(0), g.input(1)];
    const [batch, channels] = x.shape;
    const groups = groupsOf(g.node, channels);
    const grouped = [batch, groups, channels === 0 ? 0 : elementCount(x.shape.slice(1)) / groups];
    const wide = g.reshape(x, grouped);
    const centred = g.sub(wide, meanOver(g, wide, [2]));
    const inverse = inverseDeviation(g, centred, [2], floatAttr(g.node, "epsilon", 1e-5));
    const standard = g.mul(centred, inverse);
    const perChannel = [channels, ...x.shape.slice(2).map(() => 1)];
    const d = (): Value => g.reshape(g.mul(dy, g.reshape(scale, perChannel)), grouped);
    return [
      g.wants(0) ? g.reshape(back(g, d(), standard, inverse, [2], true), x.shape) : undefined,
      g.wants(1) ? channelSum(g, g.mul(dy, g.reshape(standard, x.shape))) : undefined,
      g.wants(2) ? channelSum(g, dy) : undefined,
    ];
  };
}

/**
 * In training mode the forward node is asked for the batch's own moments (momentum 0), and the running ones are mixed
 * beside it; going back, the multiple of x̂ comes out of BatchNormalization too, which is one pass where arithmetic takes two.
 */
export const batchNormGradient: Gradient = (g) => {
  if (intAttr(g.node, "training_mode", 0) === 1) return trainingGradient(g);
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [x, scale, , mean, variance] = [0, 1, 2, 3, 4].map((index) => g.input(index));
  const spread = (value: Value): Value => g.reshape(value, [value.shape[0], ...x.shape.slice(2).map(() => 1)]);
  const epsilon = floatAttr(g.node, "epsilon", 1e-5);
  const inverse = g.emit("Reciprocal", [g.emit("Sqrt", [g.add(variance, epsilon)])]);
  const factor = g.mul(scale, inverse);
  const sum = g.wants(2) || g.wants(3) ? channelSum(g, dy) : undefined;
  const along = g.wants(1) || g.wants(4) ? channelSum(g, g.mul(dy, g.sub(x, spread(mean)))) : undefined;
  return [
    g.wants(0) ? g.mul(dy, spread(factor)) : undefined,
    along && g.wants(1) ? g.mul(along, inverse) : undefined,
    sum && g.wants(2) ? sum : undefined,
    sum && g.wants(3) ? g.neg(g.mul(sum, factor)) : undefined,
    along && g.wants(4) ? g.mul(along, g.mul(g.mul(factor, square(g, inverse)), -0.5)) : undefined,
  ];
};

const trainingGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [x, scale] = [g.input(0), g.input(1)];
  const channels = scale.shape[0];
  const [mean, variance] = batchMoments(g);
  const epsilon = floatAttr(g.node, "epsilon", 1e-5);
  const attrs = { epsilon: { f: epsilon } };
  const inverse = g.emit("Reciprocal", [g.emit("Sqrt", [g.add(variance, epsilon)])]);
  const sum = channelSum(g, dy);
  // Σ dy·x̂ = r·(Σ dy·x − μ·Σ dy): x̂ need not be made for it.
  const along = g.mul(g.sub(channelSum(g, g.mul(dy, x)), g.mul(mean, sum)), inverse);
  const byInput = (): Value => {
    const lines = [along, sum].map((each) => g.mul(each, -channels / elementCount(x.shape)));
    const rest = g.emit("BatchNormalization", [x, ...lines, mean, variance], { attrs });
    return g.scaled(g.add(dy, rest), g.mul(scale, inverse));
  };
  return [g.wants(0) ? byInput() : undefined, g.wants(1) ? along : undefined, g.wants(2) ? sum : undefined];
};

/** Has the forward node tell the batch's mean and variance, and mixes the running ones from them as it would have. */
function batchMoments(g: Parameters<Gradient>[0]): [Value, Value] {
  const [, runningMean, runningVariance] = g.node.outputs;
  const momentum = floatAttr(g.node, "momentum", 0.9);
  let moments: [Value, Value] | undefined;
  g.instead((forward) => {
    const inputs = [0, 1, 2, 3, 4].map((index) => g.input(index));
    const attrs = { epsilon: { f: floatAttr(g.node, "epsilon", 1e-5) }, momentum: { f: 0 }, training_mode: { i: 1 } };
    const [y, mean, variance] = forward.emitAll("BatchNormalization", inputs, 3, attrs);
    forward.emit("Identity", [y], { outputs: [g.node.outputs[0]] });
    const mix = (old: Value, now: Value, name: string | undefined): void => {
      if (name) forward.emit("Add", [forward.mul(old, momentum), forward.mul(now, 1 - momentum)], { outputs: [name] });
    };
    mix(inputs[3], mean, runningMean);
    mix(inputs[4], variance, runningVariance);
    moments = [mean, variance];
  });
  return moments as unknown as [Value, Value];
}
