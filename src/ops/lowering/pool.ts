import { elementCount, intAttr, intsAttr, stringAttr } from "../../ir/graph.ts";
import { makeTensor } from "../../ir/tensor.ts";
import type { IntegerLowering, LoweringContext } from "../integer.ts";
import { ROOT_BITS, squaresFit } from "../shared/npu/root.ts";
import { typeOfCode } from "./linear.ts";
import { emitMove, ints, positive } from "./move.ts";
import { multiplierOf } from "./multiplier.ts";
import { postStage, reachOf, scaleOf, zeroOf } from "./post.ts";

/** Pooling and reductions: sums are exact in the accumulator, a mean is in the requantization's multiplier. */

export const lowerMaxPool: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no quantization";
  if (context.node.outputs[1]) return "its Indices output has no integer form";
  const spatial = x.shape.length - 2;
  const window = poolWindow(context, spatial);
  if (typeof window === "string") return window;
  const dilations = { ints: intsAttr(context.node, "dilations") ?? new Array(spatial).fill(1) };
  return emitMove(context, "MaxPool", [x.name], { ...window, dilations }, x);
};

export const lowerAveragePool: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no quantization";
  const spatial = x.shape.length - 2;
  const window = poolWindow(context, spatial);
  if (typeof window === "string") return window;
  const { node } = context;
  if (intsAttr(node, "dilations")?.some((dilation) => dilation !== 1)) return "a dilated average has no integer form";
  const output = context.output(0);
  const cells = elementCount(intsAttr(node, "kernel_shape") ?? []);
  const pairs = Array.from({ length: cells }, (_, index) =>
    multiplierOf(scaleOf(x) / (scaleOf(output) * (index + 1)), 31),
  );
  const { y_dtype, y_zero, y_min, y_max } = postStage({ ...context, add: () => "" }, [1], 1, false).attrs;
  context.emit({
    op: "AveragePool",
    inputs: [
      x.name,
      context.add(
        makeTensor(
          "int32",
          [cells],
          Int32Array.from(pairs, (p) => p.multiplier),
        ),
        `${output.name}/multiplier`,
      ),
      context.add(
        makeTensor(
          "int32",
          [cells],
          Int32Array.from(pairs, (p) => p.shift),
        ),
        `${output.name}/shift`,
      ),
    ],
    attrs: {
      ...window,
      y_dtype,
      y_zero,
      y_min,
      y_max,
      x_zero: { i: zeroOf(x) },
      count_include_pad: { i: intAttr(node, "count_include_pad", 0) },
    },
    type: typeOfCode(output),
    name: output.name,
  });
};

function poolWindow(context: LoweringContext, spatial: number) {
  const { node } = context;
  const kernel = intsAttr(node, "kernel_shape");
  if (!kernel) return "it has no kernel_shape";
  if (spatial < 1 || spatial > 2) return `pooling over ${spatial} axes has no integer form`;
  const pad = stringAttr(node, "auto_pad", "NOTSET");
  if (pad !== "NOTSET" && pad !== "VALID") return `auto_pad ${pad} was not made explicit`;
  return {
    kernel_shape: { ints: kernel },
    strides: { ints: intsAttr(node, "strides") ?? new Array<number>(spatial).fill(1) },
    pads: { ints: intsAttr(node, "pads") ?? new Array<number>(2 * spatial).fill(0) },
    ceil_mode: { i: intAttr(node, "ceil_mode", 0) },
  };
}

/** Sum or mean over axes; `axesOf` where they are not input 1. */
export function lowerReduce(
  kind: "sum" | "mean" | "max" | "min",
  axesOf?: (rank: number) => number[],
): IntegerLowering {
  return (context) => {
    const x = context.input(0);
    if (!x) return "its input has no quantization";
    const axes = axesOf ? axesOf(x.shape.length) : reducedAxes(context, x.shape.length);
    if (typeof axes === "string") return axes;
    const output = context.output(0);
    const keepdims = { i: axesOf ? 1 : intAttr(context.node, "keepdims", 1) };
    if (kind === "max" || kind === "min") {
      const op = kind === "max" ? "ReduceMax" : "ReduceMin";
      return emitMove(context, op, [x.name], { axes: { ints: axes }, keepdims }, x);
    }
    const count = elementCount(axes.map((axis) => x.shape[axis]));
    const unit = scaleOf(x) / (kind === "mean" ? count : 1);
    const post = postStage(context, [unit], count * reachOf(x), false);
    context.emit({
      op: "ReduceSum",
      inputs: [x.name, ...post.inputs],
      attrs: { ...post.attrs, x_zero: { i: zeroOf(x) }, axes: { ints: axes }, keepdims },
      type: typeOfCode(output),
      name: output.name,
    });
    return undefined;
  };
}

/** The root of a sum of squares, exact before it is stored; the sum must be proven to fit 32 bits. */
export const lowerReduceL2: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no quantization";
  const axes = reducedAxes(context, x.shape.length);
  if (typeof axes === "string") return axes;
  const count = elementCount(axes.map((axis) => x.shape[axis]));
  if (!squaresFit(count, reachOf(x)))
    return `the squares of ${count} ${x.dtype} codes can sum to more than 32 bits hold`;
  const post = postStage({ ...context, riding: undefined }, [scaleOf(x) / 2 ** ROOT_BITS], 2 ** 26, true);
  const output = context.output(0);
  context.emit({
    op: "ReduceL2",
    inputs: [x.name, ...post.inputs],
    attrs: {
      ...post.attrs,
      x_zero: { i: zeroOf(x) },
      axes: { ints: axes },
      keepdims: { i: intAttr(context.node, "keepdims", 1) },
    },
    type: typeOfCode(output),
    name: output.name,
  });
  return undefined;
};

function reducedAxes(context: LoweringContext, rank: number): number[] | string {
  const { node } = context;
  if (!node.inputs[1]) {
    if (intAttr(node, "noop_with_empty_axes", 0) !== 0) return "it reduces nothing and was not removed";
    return Array.from({ length: rank }, (_, axis) => axis);
  }
  const axes = ints(context, 1);
  if (!axes) return "its axes are computed at run time";
  return axes.map((axis) => positive(axis, rank)).sort((a, b) => a - b);
}

/** Axes 2… of an image: what the global pools reduce. */
export function spatialAxes(rank: number): number[] {
  return Array.from({ length: rank - 2 }, (_, index) => index + 2);
}
