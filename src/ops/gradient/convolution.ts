/** Gradients of convolutions. There is more than one way to write each; which one is taken is said beside it. */
import { elementCount, intAttr } from "../../ir/graph.ts";
import { int64 } from "../../ir/tensor.ts";
import type { Gradient, GradientBuilder, GradientContext, Value } from "../gradient.ts";
import { kernelOf } from "../shared/convolution.ts";
import { extentOf, type Window, windowOf } from "../shared/window.ts";
import { product } from "./matmul.ts";

/** A convolution's window with its groups: input [n, c, …], weights [m, c/groups, …], output [n, m, …]. */
export interface Convolution extends Window {
  readonly groups: number;
}

function axesFrom(first: number, rank: number): number[] {
  return Array.from({ length: rank - first }, (_, at) => first + at);
}

/** Sum of each channel of [n, c, …]. */
export function channelSum(g: GradientBuilder, value: Value): Value {
  return g.sum(value, [0, ...axesFrom(2, value.shape.length)], false);
}

export function windowAttributes({ strides, dilations, begin, end, groups, kernel }: Convolution) {
  return {
    group: { i: groups },
    kernel_shape: { ints: [...kernel] },
    strides: { ints: [...strides] },
    dilations: { ints: [...dilations] },
    pads: { ints: [...begin, ...end] },
  };
}

/** Slices along the spatial axes of [n, c, …]. */
export function sliceSpatial(
  g: GradientBuilder,
  value: Value,
  starts: readonly number[],
  ends: readonly number[],
  steps: readonly number[],
): Value {
  const whole = starts.every((start, axis) => start === 0 && steps[axis] === 1 && ends[axis] >= value.shape[axis + 2]);
  if (whole) return value;
  const list = (values: readonly number[]) => int64([values.length], values);
  const axes = axesFrom(2, value.shape.length);
  return g.emit("Slice", [value, list(starts), list(ends), list(axes), list(steps)]);
}

function isPointwise({ kernel, begin, end }: Convolution): boolean {
  return kernel.every((size) => size === 1) && [...begin, ...end].every((size) => size === 0);
}

/** Is the window moved by 1 everywhere, with padding that turning it round leaves non-negative? */
function turnsRound({ kernel, strides, dilations, begin, end }: Convolution): boolean {
  return kernel.every((size, axis) => {
    const reach = dilations[axis] * (size - 1);
    return strides[axis] === 1 && begin[axis] <= reach && end[axis] <= reach && begin[axis] >= 0 && end[axis] >= 0;
  });
}

/** Weights [m, c/groups, …] as those of the convolution that goes back, [c, m/groups, …], every kernel reversed. */
function reversedWeights(g: GradientBuilder, weights: Value, { groups, kernel }: Convolution): Value {
  const [filters, perGroup] = weights.shape;
  const axes = kernel.flatMap((size, axis) => (size > 1 ? [axis + 2] : []));
  const list = (value: number) => int64([axes.length], new Array<number>(axes.length).fill(value));
  // From the last element (−1) to before the first: an end far below zero means "to the start".
  const reversed =
    axes.length === 0
      ? weights
      : g.emit("Slice", [weights, list(-1), list(-(2 ** 31)), int64([axes.length], axes), list(-1)]);
  const spatial = kernel.map((_, axis) => axis + 2);
  if (groups === 1) return g.transpose(reversed, [1, 0, ...spatial]);
  const split = g.reshape(reversed, [groups, filters / groups, perGroup, ...kernel]);
  const turned = g.transpose(split, [0, 2, 1, ...spatial.map((axis) => axis + 1)]);
  return g.reshape(turned, [groups * perGroup, filters / groups, ...kernel]);
}

/**
 * By the input. Pointwise with stride 1: one product. Stride 1: the convolution of dy with the reversed kernels, which is
 * ONNX Runtime's fastest path (158–182 GFLOP/s against 75–150 of ConvTranspose for dense kernels, 7–9 against 1.3–4.6 for
 * depthwise ones, on two cores of a Zen 5). Otherwise ConvTranspose.
 */
export function convolutionByInput(
  g: GradientBuilder,
  dy: Value,
  weights: Value,
  shape: readonly number[],
  window: Convolution,
): Value {
  const { kernel, strides, dilations, begin, end, groups } = window;
  const [batch, channels, ...sizes] = shape;
  if (isPointwise(window) && strides.every((stride) => stride === 1) && groups === 1) {
    const filters = weights.shape[0];
    const flat = g.reshape(dy, [batch, filters, elementCount(sizes)]);
    const matrix = g.reshape(weights, [filters, channels]);
    // A stack of products needs stacked factors: the matrix gets a leading axis of 1.
    return g.reshape(product(g, g.reshape(matrix, [1, filters, channels]), flat, { transA: true }), shape);
  }
  if (turnsRound(window)) {
    const reach = kernel.map((size, axis) => dilations[axis] * (size - 1));
    const back: Convolution = {
      ...window,
      begin: begin.map((size, axis) => reach[axis] - size),
      end: end.map((size, axis) => reach[axis] - size),
    };
    return g.emit("Conv", [dy, reversedWeights(g, weights, window)], { attrs: windowAttributes(back) });
  }
  const full = sizes.map(
    (_, axis) => strides[axis] * (dy.shape[axis + 2] - 1) + extentOf(kernel[axis], dilations[axis]),
  );
  const extra = sizes.map((size, axis) => size + begin[axis] + end[axis] - full[axis]);
  const attrs = { ...windowAttributes(window), output_padding: { ints: extra } };
  return g.emit("ConvTranspose", [dy, weights], { attrs });
}

/** By the weights [m, c/groups, …], for an input x and an output gradient dy. */
export function convolutionByWeights(
  g: GradientBuilder,
  x: Value,
  dy: Value,
  shape: readonly number[],
  window: Convolution,
): Value {
  const [filters, perGroup] = shape;
  if (window.groups > 1 && perGroup === 1 && filters === window.groups)
    return depthwiseByWeights(g, x, dy, shape, window);
  return asConvolution(g, x, dy, shape, window) ?? byTaps(g, x, dy, shape, window);
}

/** Bytes of dy that a convolution for the weights' gradient takes at once: it reads them again for each line of its output. */
const KERNEL_BYTES = 2 ** 20;
/** Blocks of filters that ONNX Runtime computes side by side. */
const BLOCKS_AT_ONCE = 4;

/**
 * On kernels for blocks of channels: the images become channels, the channels images, and dy the weights,
 * `dW[m, c, k] = Σ_n (x[n, c] ∗ dy[n, m])[k]`, strides and dilations exchanged. 42–84 GFLOP/s with all that is moved, where
 * products a tap come to 28–62; some images at a time, whose dy stays in a core's cache. Undefined where the kernels do not
 * fit: few images or filters, numbers that blocks do not divide, or so large an output that one block is too much.
 */
function asConvolution(
  g: GradientBuilder,
  x: Value,
  dy: Value,
  shape: readonly number[],
  window: Convolution,
): Value | undefined {
  const { block } = g;
  const [filters, channels] = shape;
  const [batch, , ...output] = dy.shape;
  if (block === undefined || window.groups > 1 || window.kernel.length !== 2) return undefined;
  if (elementCount(window.kernel) === 1 || batch % block > 0 || filters < block || filters % 4 > 0) return undefined;
  const blockBytes = block * Math.min(filters, BLOCKS_AT_ONCE * block) * elementCount(output) * 4;
  if (blockBytes > KERNEL_BYTES || channels === 0) return undefined;
  const images = block * Math.floor(KERNEL_BYTES / blockBytes);
  const exchange = [1, 0, 2, 3];
  const cropped = croppedTo(window, x.shape.slice(2));
  const back: Convolution = {
    ...{ kernel: output, strides: window.dilations, dilations: window.strides, output: window.kernel, groups: 1 },
    ...{ begin: [0, 0], end: [0, 0] },
  };
  const parts: Value[] = [];
  for (let from = 0; from < batch; from += images) {
    const to = Math.min(batch, from + images);
    const taken = images < batch ? g.emit("Slice", [dy, ...[[from], [to], [0]].map((list) => int64([1], list))]) : dy;
    const planes = g.transpose(padImages(g, x, from, to, cropped), exchange);
    parts.push(g.emit("Conv", [planes, g.transpose(taken, exchange)], { attrs: windowAttributes(back) }));
  }
  return g.transpose(parts.length === 1 ? parts[0] : g.emit("Sum", parts), exchange);
}

/** The window with its end moved to what the last position reaches, which a stride may leave out or padding go beyond. */
function croppedTo(window: Convolution, sizes: readonly number[]): Convolution {
  const end = sizes.map((size, axis) => {
    const { kernel, strides, dilations, begin, output } = window;
    return strides[axis] * (output[axis] - 1) + extentOf(kernel[axis], dilations[axis]) - size - begin[axis];
  });
  return { ...window, end };
}

/** Bytes of input that a product a tap takes at once: what it slices nine times over then stays in a core's cache. */
const CACHED_BYTES = 2 ** 20;

/**
 * A product a tap: for each kernel position the input that it met, against dy, `dW[m, c] = Σ_n dy[n, m, :] · x[n, c, :]ᵀ`.
 * Twice as fast as a Conv with batch and channels exchanged (94–172 GFLOP/s against 40–77). Images are taken some at a time:
 * 20 % less for 6 MB of input, and the slices need less memory.
 */
function byTaps(g: GradientBuilder, x: Value, dy: Value, shape: readonly number[], window: Convolution): Value {
  const { kernel, strides, dilations, groups } = window;
  const [filters, perGroup] = shape;
  const [batch, , ...output] = dy.shape;
  const plane = elementCount(output);
  const taps = elementCount(kernel);
  const chunks = taps === 1 ? 1 : Math.max(1, Math.min(batch, Math.round((elementCount(x.shape) * 4) / CACHED_BYTES)));
  const sums: Value[][] = Array.from({ length: taps }, () => []);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const [from, to] = [chunk, chunk + 1].map((at) => Math.floor((at * batch) / chunks));
    const lead = groups === 1 ? [to - from] : [to - from, groups];
    const padded = padImages(g, x, from, to, window);
    const images = chunks === 1 ? dy : g.emit("Slice", [dy, ...[[from], [to], [0]].map((list) => int64([1], list))]);
    const flat = g.reshape(images, [...lead, filters / groups, plane]);
    for (let tap = 0; tap < taps; tap++) {
      const at = indexOf(tap, kernel);
      const starts = at.map((index, axis) => index * dilations[axis]);
      const ends = starts.map((start, axis) => start + strides[axis] * (output[axis] - 1) + 1);
      const met = sliceSpatial(g, padded, starts, ends, strides);
      const products = product(g, flat, g.reshape(met, [...lead, perGroup, plane]), { transB: true });
      sums[tap].push(g.sum(products, [0], false));
    }
  }
  const parts = sums.map((each) => {
    const sum = each.length === 1 ? each[0] : g.emit("Sum", each);
    return g.reshape(sum, [filters, perGroup, 1]);
  });
  const joined = taps === 1 ? parts[0] : g.emit("Concat", parts, { attrs: { axis: { i: 2 } } });
  return g.reshape(joined, shape);
}

/** Images from–to of x with the window's padding: one Pad, which crops the others. */
function padImages(g: GradientBuilder, x: Value, from: number, to: number, { begin, end }: Convolution): Value {
  const amounts = [-from, 0, ...begin, to - x.shape[0], 0, ...end];
  if (amounts.every((amount) => amount === 0)) return x;
  return g.emit("Pad", [x, int64([amounts.length], amounts)]);
}

/** Row-major index of a position. */
function indexOf(position: number, sizes: readonly number[]): number[] {
  const index = new Array<number>(sizes.length);
  for (let axis = sizes.length - 1, rest = position; axis >= 0; axis--) {
    index[axis] = rest % sizes[axis];
    rest = Math.floor(rest / sizes[axis]);
  }
  return index;
}

/**
 * Every plane of every image is a group of its own: the input planes are convolved with those of dy, strides and dilations
 * exchanged, and the images are summed.
 */
function depthwiseByWeights(
  g: GradientBuilder,
  x: Value,
  dy: Value,
  shape: readonly number[],
  window: Convolution,
): Value {
  const { kernel, strides, dilations, begin } = window;
  const [batch, channels, ...sizes] = x.shape;
  const output = dy.shape.slice(2);
  const planes = batch * channels;
  // A convolution cannot crop: where a stride leaves something out, what is too much is cut from the result.
  const end = croppedTo(window, sizes).end.map((size) => Math.max(0, size));
  const found = g.emit("Conv", [g.reshape(x, [1, planes, ...sizes]), g.reshape(dy, [planes, 1, ...output])], {
    attrs: windowAttributes({
      ...window,
      kernel: output,
      strides: dilations,
      dilations: strides,
      begin,
      end,
      groups: planes,
    }),
  });
  const zero = kernel.map(() => 0);
  const one = kernel.map(() => 1);
  const cut = sliceSpatial(g, found, zero, kernel, one);
  return g.reshape(g.sum(g.reshape(cut, [batch, channels, ...kernel]), [0], false), shape);
}

/** Weights are scaled instead of what arrives where they are so many times smaller: they are so twice, and are turned beside. */
const SMALL_PART = 4;

export const convGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [x, weights] = [g.input(0), g.input(1)];
  const kernel = kernelOf(g.node, weights.shape) as number[];
  const window = { ...windowOf(g.node, x.shape.slice(2), kernel), groups: intAttr(g.node, "group", 1) };
  const scaled = g.unscaled(dy);
  if (scaled === undefined || elementCount(weights.shape) > elementCount(dy.shape) / SMALL_PART) {
    return [
      g.wants(0) ? convolutionByInput(g, dy, weights, x.shape, window) : undefined,
      g.wants(1) ? convolutionByWeights(g, x, dy, weights.shape, window) : undefined,
      g.wants(2) ? channelSum(g, dy) : undefined,
    ];
  }
  // The weights, and their gradient, take the factors of what arrives.
  const { value, factor } = scaled;
  const times = (each: Value): Value => g.mul(each, g.reshape(factor, [weights.shape[0], ...kernel.map(() => 1), 1]));
  return [
    g.wants(0) ? convolutionByInput(g, value, times(weights), x.shape, window) : undefined,
    g.wants(1) ? times(convolutionByWeights(g, x, value, weights.shape, window)) : undefined,
    g.wants(2) ? g.mul(channelSum(g, value), factor) : undefined,
  ];
};

/**
 * A transposed convolution is a convolution read backwards: by its input the convolution of dy, by its weights those of the
 * convolution that takes dy to x. What its padding cut off has no gradient: a negative padding there cuts dy.
 */
export function transposedGradient(
  geometry: (g: GradientContext) => Omit<Window, "end" | "output"> & { readonly groups: number },
): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    if (dy === undefined) return [];
    const [x, weights] = [g.input(0), g.input(1)];
    const { kernel, strides, dilations, begin, groups } = geometry(g);
    const sizes = x.shape.slice(2);
    const end = sizes.map(
      (size, axis) =>
        strides[axis] * (size - 1) + extentOf(kernel[axis], dilations[axis]) - dy.shape[axis + 2] - begin[axis],
    );
    const starts = begin.map((size) => Math.max(0, -size));
    const ends = end.map((size, axis) => dy.shape[axis + 2] - Math.max(0, -size));
    const cut = sliceSpatial(
      g,
      dy,
      starts,
      ends,
      begin.map(() => 1),
    );
    const window: Convolution = {
      ...{ kernel, strides, dilations, groups, output: sizes },
      begin: begin.map((size) => Math.max(0, size)),
      end: end.map((size) => Math.max(0, size)),
    };
    return [
      g.wants(0) ? g.emit("Conv", [cut, weights], { attrs: windowAttributes(window) }) : undefined,
      g.wants(1) ? convolutionByWeights(g, cut, x, weights.shape, window) : undefined,
      g.wants(2) ? channelSum(g, dy) : undefined,
    ];
  };
}
