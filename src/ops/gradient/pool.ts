/** Gradients of pooling, [n, c, …]. */

import type { Tensor } from "../../ir/graph.ts";
import { elementCount, intAttr } from "../../ir/graph.ts";
import type { Gradient, GradientBuilder, GradientContext, Value } from "../gradient.ts";
import { poolKernel } from "../shared/pool.ts";
import { forEachWindow, type Window, windowOf } from "../shared/window.ts";
import { convolutionByInput } from "./convolution.ts";
import { indicator } from "./elementwise.ts";
import { scatterAdd } from "./move.ts";

function windowFor(g: GradientContext, x: Value): Window {
  return windowOf(g.node, x.shape.slice(2), poolKernel(g.node));
}

/** The place of each maximum is the operator's second output; each gradient is added there. */
export const maxPoolGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  return [scatterAdd(g, dy, g.output(1), g.input(0))];
};

/** Is every element in exactly one window, so that going back is repeating? */
function tilesExactly({ kernel, strides, dilations, begin, end, output }: Window, sizes: readonly number[]): boolean {
  return sizes.every(
    (size, axis) =>
      kernel[axis] === strides[axis] &&
      dilations[axis] === 1 &&
      begin[axis] === 0 &&
      end[axis] === 0 &&
      output[axis] * kernel[axis] === size,
  );
}

/** Every element of the planes repeated to a block. */
function repeated(g: GradientBuilder, value: Value, kernel: readonly number[], shape: readonly number[]): Value {
  const lead = value.shape.slice(0, 2);
  const sizes = value.shape.slice(2);
  const apart = g.reshape(value, [...lead, ...sizes.flatMap((size) => [size, 1])]);
  return g.reshape(g.expand(apart, [...lead, ...sizes.flatMap((size, axis) => [size, kernel[axis]])]), shape);
}

/** What each window divides by, as [1, 1, …]; a single number where all divide by the same. */
function divisors(window: Window, sizes: readonly number[], padding: boolean, like: Value): Tensor | number {
  const counts = new Array<number>(elementCount(window.output));
  forEachWindow(sizes, window, (position, taps, start) => {
    const inside = taps.reduce((count, tap) => count + (tap >= 0 ? 1 : 0), 0);
    const places = sizes.reduce((product, size, axis) => {
      const room = size + window.end[axis] - start[axis];
      return product * Math.min(window.kernel[axis], Math.ceil(room / window.dilations[axis]));
    }, 1);
    counts[position] = padding ? places : inside;
  });
  if (counts.every((count) => count === counts[0])) return counts[0] ?? 1;
  const data = like.dtype === "float64" ? Float64Array.from(counts) : Float32Array.from(counts);
  return { dtype: like.dtype, shape: [1, 1, ...window.output], data };
}

/** Each window's gradient, divided by its count, goes to all its elements: a convolution of single planes with a kernel of ones. */
export const averagePoolGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const x = g.input(0);
  const [batch, channels, ...sizes] = x.shape;
  const window = windowFor(g, x);
  const share = g.div(dy, divisors(window, sizes, intAttr(g.node, "count_include_pad", 0) === 1, dy));
  if (tilesExactly(window, sizes)) return [repeated(g, share, window.kernel, x.shape)];
  const planes = g.reshape(share, [batch * channels, 1, ...window.output]);
  const taps = elementCount(window.kernel);
  const data = dy.dtype === "float64" ? new Float64Array(taps).fill(1) : new Float32Array(taps).fill(1);
  const ones = g.emit("Identity", [{ dtype: dy.dtype, shape: [1, 1, ...window.kernel], data }]);
  // ceil_mode lets the last window hang over the padding: what hangs over is padding that goes nowhere.
  const end = sizes.map((size, axis) => {
    const reach =
      (window.output[axis] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis] + 1;
    return Math.max(window.end[axis], reach - size - window.begin[axis]);
  });
  const back = convolutionByInput(g, planes, ones, [batch * channels, 1, ...sizes], { ...window, end, groups: 1 });
  return [g.reshape(back, x.shape)];
};

export const globalAverageGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const { shape } = g.input(0);
  return [g.expand(g.mul(dy, 1 / elementCount(shape.slice(2))), shape)];
};

/** The elements that are equal to the maximum share its gradient. */
export const globalMaxGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const x = g.input(0);
  const equal = indicator(g, g.emit("Equal", [x, g.output(0)]), x);
  const axes = x.shape.slice(2).map((_, axis) => axis + 2);
  return [g.mul(equal, g.div(dy, g.sum(equal, axes, true)))];
};
