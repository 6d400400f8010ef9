import { type Dim, elementCount, intAttr, intsAttr, type Node } from "../ir/graph.ts";
import { transposedGradient } from "./gradient/convolution.ts";
import { lowerConvTranspose } from "./lowering/linear.ts";
import type { Op } from "./op.ts";
import { kernelOf } from "./shared/convolution.ts";
import { forEachIndex } from "./shared/index.ts";
import { FLOATS, makeType, mapDim, multiplyDims, reject, requireSameDType, sizeOf, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";
import { extentOf, windowAttrs } from "./shared/window.ts";

interface Geometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly output: readonly Dim[];
}

/**
 * Without padding the result has `stride·(in − 1) + output_padding + extent` elements along an axis. `output_shape`, or
 * auto_pad SAME with `in · stride`, fixes the size instead, and the padding is what has to go: the smaller half first for
 * SAME_UPPER, last otherwise.
 */
export function geometryOf(node: Node, input: readonly Dim[], weights: readonly Dim[]): Geometry {
  const sizes = input.slice(2);
  const kernel = kernelOf(node, weights);
  const attributes = windowAttrs(node, sizes.length);
  const extra = intsAttr(node, "output_padding") ?? sizes.map(() => 0);
  const wanted = intsAttr(node, "output_shape")?.slice(-sizes.length);
  const upper = attributes.autoPad === "SAME_UPPER";
  const same = attributes.autoPad.startsWith("SAME");
  const begin: number[] = [];
  const output = sizes.map((size, axis): Dim => {
    const stride = attributes.strides[axis];
    const tail = (extra[axis] ?? 0) + extentOf(kernel[axis], attributes.dilations[axis]);
    const full = mapDim(size, (known) => stride * (known - 1) + tail);
    const target = wanted?.[axis] ?? (same ? multiplyDims([size, stride]) : undefined);
    if (target === undefined) {
      begin[axis] = attributes.begin[axis];
      return mapDim(full, (known) => known - attributes.begin[axis] - attributes.end[axis]);
    }
    const total = typeof full === "number" && typeof target === "number" ? Math.max(0, full - target) : 0;
    begin[axis] = upper ? Math.floor(total / 2) : total - Math.floor(total / 2);
    return target;
  });
  if (output.some((size) => typeof size === "number" && size < 1))
    reject(node, `the output would have the sizes [${output}]`);
  return { kernel, strides: attributes.strides, dilations: attributes.dilations, begin, output };
}

function check(node: Node, input: readonly Dim[], weights: readonly Dim[]): number {
  const groups = intAttr(node, "group", 1);
  const [channels, taken] = [input[1], weights[0]];
  if (input.length < 3 || weights.length !== input.length || groups < 1) {
    reject(node, `an input [${input}] and weights [${weights}] in ${groups} groups do not convolve`);
  }
  if (typeof channels === "number" && typeof taken === "number" && (channels !== taken || channels % groups !== 0)) {
    reject(node, `${channels} input channels, but weights for ${taken} in ${groups} groups`);
  }
  return groups;
}

/** The transpose of a convolution: every input element adds its filter, scaled, to the output. Weights: [c, m/group, …]. */
const op: Op = {
  gradient: transposedGradient((g) => {
    const [input, weights] = [g.input(0).shape, g.input(1).shape];
    return { ...geometryOf(g.node, input, weights), groups: check(g.node, input, weights) };
  }),
  integer: lowerConvTranspose,
  carries: true,
  operands: { data: [0, 1], weights: { input: 1, axis: () => 1 } },
  infer(node, inputs) {
    const [input, weights] = [typeAt(node, inputs, 0, FLOATS), typeAt(node, inputs, 1, FLOATS)];
    requireSameDType(node, inputs, 0, 1);
    requireSameDType(node, inputs, 0, 2);
    if (input.shape === undefined || weights.shape === undefined) return [makeType(input.dtype)];
    const groups = check(node, input.shape, weights.shape);
    const { output } = geometryOf(node, input.shape, weights.shape);
    return [makeType(input.dtype, [input.shape[0], mapDim(weights.shape[1], (size) => size * groups), ...output])];
  },
  evaluate(node, inputs) {
    const [input, weights] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const bias = optionalTensorAt(node, inputs, 2);
    const groups = check(node, input.shape, weights.shape);
    const { kernel, strides, dilations, begin, output } = geometryOf(node, input.shape, weights.shape);
    const [batch, channels, ...sizes] = input.shape;
    const perGroup = weights.shape[1];
    const spatial = output as number[];
    const shape = [batch, perGroup * groups, ...spatial];
    const [plane, outputPlane, taps] = [sizes, spatial, kernel].map(elementCount);
    const [x, w] = [doublesOf(input), doublesOf(weights)];
    const values = new Float64Array(elementCount(shape));
    if (bias) {
      const added = doublesOf(bias);
      for (let index = 0; index < values.length; index++)
        values[index] = added[Math.floor(index / outputPlane) % shape[1]];
    }
    forEachIndex(sizes, (at, position) => {
      forEachIndex(kernel, (tap, tapPosition) => {
        let target = 0;
        for (let axis = 0; axis < sizes.length; axis++) {
          const to = at[axis] * strides[axis] + tap[axis] * dilations[axis] - begin[axis];
          if (to < 0 || to >= spatial[axis]) return;
          target = target * spatial[axis] + to;
        }
        for (let image = 0; image < batch; image++) {
          for (let channel = 0; channel < channels; channel++) {
            const value = x[(image * channels + channel) * plane + position];
            const group = Math.floor(channel / (channels / groups));
            for (let filter = 0; filter < perGroup; filter++) {
              const to = (image * shape[1] + group * perGroup + filter) * outputPlane + target;
              values[to] += value * w[(channel * perGroup + filter) * taps + tapPosition];
            }
          }
        }
      });
    });
    return [fromDoubles(input.dtype, shape, values)];
  },
  macs: (_, inputs) => sizeOf(inputs[0]?.shape) * sizeOf(inputs[1]?.shape?.slice(1)),
};

export default op;
