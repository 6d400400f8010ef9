import { type Dim, elementCount, floatAttr, intsAttr, type Node, stringAttr, type Tensor } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { resampleBack } from "./gradient/resample.ts";
import type { Gradient } from "./gradient.ts";
import { lowerResize } from "./lowering/resize.ts";
import type { Op } from "./op.ts";
import { axisView, forEachIndex } from "./shared/index.ts";
import { type Axis, type Taps, tapsAlong } from "./shared/resample.ts";
import { makeType, reject, resolveAxis, typeAt } from "./shared/types.ts";
import {
  doublesOf,
  elementsOf,
  fromDoubles,
  fromElements,
  gatherOffsets,
  optionalTensorAt,
  room,
  tensorAt,
} from "./shared/values.ts";

/** The inputs roi, scales and sizes; empty tensors count as absent. */
interface Wanted {
  readonly roi: readonly number[] | undefined;
  readonly scales: readonly number[] | undefined;
  readonly sizes: readonly number[] | undefined;
}

function listOf(tensor: Tensor | undefined): number[] | undefined {
  return tensor === undefined || elementCount(tensor.shape) === 0 ? undefined : Array.from(doublesOf(tensor));
}

function resizedAxes(node: Node, rank: number): number[] {
  return (intsAttr(node, "axes") ?? [...new Array(rank).keys()]).map((axis) => resolveAxis(node, axis, rank));
}

/** One factor for all axes, so that the result is nowhere larger (or smaller) than asked; undefined to stretch each. */
function commonScale(node: Node, ratios: readonly number[]): number | undefined {
  const policy = stringAttr(node, "keep_aspect_ratio_policy", "stretch");
  if (policy === "stretch") return undefined;
  if (policy === "not_larger") return Math.min(...ratios);
  return policy === "not_smaller" ? Math.max(...ratios) : reject(node, `the policy ${policy} is not known`);
}

/** Input and output size of each axis, and how it is read. */
function axesOf(node: Node, shape: readonly number[], { roi, scales, sizes }: Wanted): Axis[] {
  const chosen = resizedAxes(node, shape.length);
  const given = sizes ?? scales ?? reject(node, "there are neither scales nor sizes");
  if (given.length !== chosen.length) reject(node, `${given.length} scales or sizes for ${chosen.length} axes`);
  const crop = stringAttr(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  if (crop && roi?.length !== chosen.length * 2) reject(node, "tf_crop_and_resize needs a roi for each axis");
  const common =
    sizes &&
    commonScale(
      node,
      chosen.map((axis, index) => sizes[index] / shape[axis]),
    );
  const result = shape.map((size): Axis => ({ input: size, output: size, scale: 1, start: 0, end: 1 }));
  chosen.forEach((axis, index) => {
    const input = shape[axis];
    const [start, end] = crop && roi ? [roi[index], roi[index + chosen.length]] : [0, 1];
    const scale = common ?? (sizes ? sizes[index] / input : given[index]);
    const exact = common === undefined ? sizes?.[index] : Math.floor(common * input + 0.5);
    const output = exact ?? Math.floor(input * (end - start) * scale);
    if (!(output >= 0 && output <= 2 ** 31) || (input === 0 && output > 0)) {
      reject(node, `axis ${axis} of size ${input} cannot become ${output}`);
    }
    result[axis] = { input, output, scale, start, end };
  });
  return result;
}

/** The sizes as far as constants tell them; symbolic dimensions that are resized are "?". */
function inferShape(node: Node, shape: readonly Dim[], wanted: Wanted): Dim[] {
  const chosen = new Set(resizedAxes(node, shape.length));
  const known = shape.every((dim, axis) => typeof dim === "number" || !chosen.has(axis));
  if (known && (wanted.scales || wanted.sizes)) {
    const numbers = shape.map((dim) => (typeof dim === "number" ? dim : 1));
    return axesOf(node, numbers, wanted).map((axis, at) => (typeof shape[at] === "number" ? axis.output : shape[at]));
  }
  const order = resizedAxes(node, shape.length);
  const stretch = stringAttr(node, "keep_aspect_ratio_policy", "stretch") === "stretch";
  return shape.map((dim, axis): Dim => {
    if (!chosen.has(axis)) return dim;
    const at = order.indexOf(axis);
    if (wanted.sizes && stretch) return wanted.sizes[at];
    if (wanted.scales?.[at] === 1) return dim;
    return wanted.scales && typeof dim === "number" ? Math.floor(dim * wanted.scales[at]) : "?";
  });
}

/** One axis replaced by weighted sums along it. */
function resampled(values: ArrayLike<number>, shape: readonly number[], axis: number, taps: readonly Taps[]) {
  const { outer, size, inner } = axisView(shape, axis);
  const result = new Float64Array(outer * taps.length * inner);
  for (let block = 0; block < outer; block++) {
    taps.forEach(({ positions, weights }, x) => {
      for (let lane = 0; lane < inner; lane++) {
        let sum = 0;
        for (let tap = 0; tap < positions.length; tap++) {
          sum += weights[tap] * values[(block * size + positions[tap]) * inner + lane];
        }
        result[(block * taps.length + x) * inner + lane] = sum;
      }
    });
  }
  return result;
}

function interpolated(data: Tensor, taps: readonly (readonly Taps[])[]): Tensor {
  let values = doublesOf(data);
  let shape = data.shape;
  taps.forEach((along, axis) => {
    const same =
      along.length === shape[axis] && along.every((tap, x) => tap.positions.length === 1 && tap.positions[0] === x);
    if (same) return;
    values = resampled(values, shape, axis, along);
    shape = shape.with(axis, along.length);
  });
  return fromDoubles(data.dtype, shape, values);
}

function picked(data: Tensor, shape: readonly number[], taps: readonly (readonly Taps[])[]): Tensor {
  const strides = stridesOf(data.shape);
  const offsets = new Int32Array(elementCount(shape));
  forEachIndex(shape, (index, position) => {
    offsets[position] = index.reduce((sum, at, axis) => sum + taps[axis][at].positions[0] * strides[axis], 0);
  });
  return gatherOffsets(data, shape, offsets);
}

/** Elements that tf_crop_and_resize reads beyond the input become `extrapolation_value`. */
function extrapolated(node: Node, result: Tensor, taps: readonly (readonly Taps[])[]): Tensor {
  if (taps.every((along) => along.every((tap) => !tap.outside))) return result;
  const value = floatAttr(node, "extrapolation_value", 0);
  const source = elementsOf(result);
  const target = room(result.dtype, source.length);
  forEachIndex(result.shape, (index, position) => {
    const outside = index.some((at, axis) => taps[axis][at].outside);
    const filled = typeof source[position] === "bigint" ? BigInt(Math.trunc(value)) : value;
    target[position] = outside ? filled : source[position];
  });
  return fromElements(result.dtype, result.shape, target);
}

function allTaps(node: Node, axes: readonly Axis[]): (readonly Taps[])[] {
  const chosen = new Set(resizedAxes(node, axes.length));
  return axes.map((axis, at) =>
    chosen.has(at) && !(axis.scale === 1 && axis.input === axis.output && axis.start === 0 && axis.end === 1)
      ? tapsAlong(node, axis)
      : Array.from({ length: axis.input }, (_, x) => ({ positions: [x], weights: [1], outside: false })),
  );
}

const gradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const { shape } = g.input(0);
  const [roi, scales, sizes] = [1, 2, 3].map((index) => listOf(g.optional(index) && g.constant(index)));
  if (!scales && !sizes)
    reject(g.node, "its sizes are computed while the model runs, so its gradient cannot be laid out");
  const taps = allTaps(g.node, axesOf(g.node, shape, { roi, scales, sizes }));
  if (taps.some((along) => along.some((tap) => tap.outside))) reject(g.node, "no gradient is known beyond the input");
  return [taps.reduce((value, along, axis) => resampleBack(g, value, axis, shape[axis], along), dy)];
};

/** Stretches or shrinks axes, by scales or to sizes, taking the nearest element or interpolating. */
const op: Op = {
  gradient,
  integer: lowerResize,
  operands: { data: [0] },
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (!node.inputs[2] && !node.inputs[3]) reject(node, "there are neither scales nor sizes");
    if (shape === undefined) return [makeType(dtype)];
    const [roi, scales, sizes] = [1, 2, 3].map((index) => listOf(context.constant(index)));
    return [makeType(dtype, inferShape(node, shape, { roi, scales, sizes }))];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const [roi, scales, sizes] = [1, 2, 3].map((index) => listOf(optionalTensorAt(node, inputs, index)));
    const axes = axesOf(node, data.shape, { roi, scales, sizes });
    const taps = allTaps(node, axes);
    const shape = axes.map((axis) => axis.output);
    const nearest = stringAttr(node, "mode", "nearest") === "nearest";
    return [extrapolated(node, nearest ? picked(data, shape, taps) : interpolated(data, taps), taps)];
  },
};

export default op;
