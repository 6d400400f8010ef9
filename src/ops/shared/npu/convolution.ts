/** Where the products of a convolution come from: shared by npu.Conv and npu.ConvTranspose. */
import { elementCount, intAttr, intsAttr, type Node } from "../../../ir/graph.ts";
import { reject } from "../types.ts";
import { extentOf, type Window, windowAttrs, windowOf } from "../window.ts";
import type { CodeType } from "./codes.ts";

export interface Convolution {
  readonly batch: number;
  readonly group: number;
  /** Channels of one group. */
  readonly inputs: number;
  readonly outputs: number;
  /** What the window slides over: x's spatial shape, or of a transposed convolution the result's. */
  readonly sizes: readonly number[];
  readonly window: Window;
  /** Of the result. */
  readonly shape: readonly number[];
}

/** x [N, C, …], w [O, C/group, …]. Throws model/invalid-node where they do not go together. */
export function convolutionOf(node: Node, x: CodeType, w: CodeType): Convolution {
  const group = intAttr(node, "group", 1);
  requireRanks(node, x, w);
  if (group < 1 || x.shape[1] !== w.shape[1] * group || w.shape[0] % group !== 0) {
    reject(node, `x [${x.shape}] and w [${w.shape}] do not go together with group ${group}`);
  }
  const sizes = x.shape.slice(2);
  const window = windowOf(node, sizes, w.shape.slice(2));
  return {
    batch: x.shape[0],
    group,
    inputs: w.shape[1],
    outputs: w.shape[0] / group,
    sizes,
    window,
    shape: [x.shape[0], w.shape[0], ...window.output],
  };
}

/**
 * x [N, C, …], w [C, O/group, …]. Sizes of the result: (in − 1)·stride + extent + output_padding − pads. The window slides
 * over the result, so its `output` is x's spatial shape.
 */
export function transposedConvolutionOf(node: Node, x: CodeType, w: CodeType): Convolution {
  const group = intAttr(node, "group", 1);
  requireRanks(node, x, w);
  if (group < 1 || x.shape[1] !== w.shape[0] || x.shape[1] % group !== 0) {
    reject(node, `x [${x.shape}] and w [${w.shape}] do not go together with group ${group}`);
  }
  const axes = x.shape.length - 2;
  const { strides, dilations, begin, end } = windowAttrs(node, axes);
  const kernel = w.shape.slice(2);
  const extra = intsAttr(node, "output_padding") ?? new Array<number>(axes).fill(0);
  if (extra.length !== axes) reject(node, `output_padding has ${extra.length} entries; ${axes} are needed`);
  const sizes = x.shape.slice(2);
  const result = sizes.map((size, axis) => {
    const reach = (size - 1) * strides[axis] + extentOf(kernel[axis], dilations[axis]);
    return reach + extra[axis] - begin[axis] - end[axis];
  });
  if (result.some((size) => size < 1)) reject(node, `the result would have the shape [${result}]`);
  return {
    batch: x.shape[0],
    group,
    inputs: x.shape[1] / group,
    outputs: w.shape[1],
    sizes: result,
    window: { kernel, strides, dilations, begin, end, output: sizes },
    shape: [x.shape[0], w.shape[1] * group, ...result],
  };
}

function requireRanks(node: Node, x: CodeType, w: CodeType): void {
  if (x.shape.length >= 3 && w.shape.length === x.shape.length) return;
  reject(node, `x has rank ${x.shape.length} and w rank ${w.shape.length}; both need the same, at least 3`);
}

/** Multiply-accumulates: each output (of a transposed one: each input) meets every tap of its group, padding included. */
export function convolutionMacs({ batch, group, inputs, outputs, window }: Convolution): number {
  return batch * group * inputs * outputs * elementCount(window.kernel) * elementCount(window.output);
}
