import { elementCount, intAttr, type Node, stringAttr } from "../ir/graph.ts";
import { roundHalfEven } from "../ir/numeric.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { FLOATS, makeType, reject, requireRank, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** A pixel's index along one axis and its share of the result. */
type Tap = readonly [index: number, weight: number];

/** Catmull-Rom-like cubic with a = −0.75 (Keys, 1981): the shares of the four pixels around a fraction in [0, 1). */
function cubicWeights(fraction: number): number[] {
  const a = -0.75;
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return [far(fraction + 1), near(fraction), near(1 - fraction), far(2 - fraction)];
}

function tapsOf(node: Node, mode: string, place: number): Tap[] {
  const base = Math.floor(place);
  const fraction = place - base;
  if (mode === "nearest") return [[roundHalfEven(place), 1]];
  if (mode === "linear" || mode === "bilinear") {
    return [
      [base, 1 - fraction],
      [base + 1, fraction],
    ];
  }
  if (mode !== "cubic" && mode !== "bicubic") reject(node, `mode ${mode} is not known`);
  return cubicWeights(fraction).map((weight, at) => [base - 1 + at, weight]);
}

/** Mirrors a place into [low, high] as often as it takes. */
function reflect(place: number, low: number, high: number): number {
  const range = high - low;
  if (range === 0) return low;
  const over = place < low ? low - place : place > high ? place - high : 0;
  if (over === 0) return place;
  const folds = Math.floor(over / range);
  const rest = over - folds * range;
  const fromLow = place < low === (folds % 2 === 0);
  return fromLow ? low + rest : high - rest;
}

/**
 * Samples an image [n, c, …] at the places of a grid [n, …, axes], last axis first, each in [−1, 1]: the ends are the
 * centres of the corner pixels with align_corners, else their outer edges. `padding_mode` says what lies outside.
 */
const op: Op = {
  hostOnly: "it reads at places that are computed at run time",
  infer(node, inputs) {
    const [type, grid] = [typeAt(node, inputs, 0), typeAt(node, inputs, 1, FLOATS)];
    requireRank(node, type, 0, 3);
    if (type.shape === undefined || grid.shape === undefined) return [makeType(type.dtype)];
    requireRank(node, grid, 1, type.shape.length, type.shape.length);
    return [makeType(type.dtype, [...type.shape.slice(0, 2), ...grid.shape.slice(1, -1)])];
  },
  evaluate(node, inputs) {
    const [tensor, grid] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const mode = stringAttr(node, "mode", "linear");
    const padding = stringAttr(node, "padding_mode", "zeros");
    const corners = intAttr(node, "align_corners", 0) === 1;
    const cubic = mode === "cubic" || mode === "bicubic";
    const [batch, channels, ...sizes] = tensor.shape;
    const axes = sizes.length;
    if (grid.shape.at(-1) !== axes || grid.shape[0] !== batch)
      reject(node, `the grid [${grid.shape}] does not fit [${tensor.shape}]`);
    const strides = stridesOf(sizes);
    const plane = elementCount(sizes);
    const points = elementCount(grid.shape.slice(1, -1));
    const [source, places] = [doublesOf(tensor), doublesOf(grid)];
    const values = new Float64Array(batch * channels * points);
    const bounds = sizes.map((size): [number, number] => (corners ? [0, size - 1] : [-0.5, size - 0.5]));
    /** Where along an axis a pixel index reads; −1 for a zero outside. */
    const resolve = (index: number, axis: number): number => {
      if (index >= 0 && index < sizes[axis]) return index;
      if (padding === "zeros") return -1;
      const inside = padding === "border" ? index : reflect(index, ...bounds[axis]);
      return Math.min(Math.max(Math.trunc(inside), 0), sizes[axis] - 1);
    };
    for (let point = 0; point < batch * points; point++) {
      let taps: Tap[] = [[0, 1]];
      for (let axis = 0; axis < axes; axis++) {
        const given = places[point * axes + (axes - 1 - axis)];
        let place = corners ? ((given + 1) / 2) * (sizes[axis] - 1) : ((given + 1) * sizes[axis] - 1) / 2;
        if (mode === "nearest") place = roundHalfEven(place);
        // The cubic's taps are resolved one by one, from where they lie; the other modes move the place itself.
        if (padding === "border" && !cubic) place = Math.min(Math.max(place, 0), sizes[axis] - 1);
        if (padding === "reflection" && !cubic) place = reflect(place, ...bounds[axis]);
        const along = tapsOf(node, mode, place).flatMap(([index, weight]): Tap[] => {
          const at = resolve(index, axis);
          return at < 0 ? [] : [[at * strides[axis], weight]];
        });
        taps = taps.flatMap(([offset, share]) => along.map(([step, weight]): Tap => [offset + step, share * weight]));
      }
      const image = Math.floor(point / points);
      for (let channel = 0; channel < channels; channel++) {
        const base = (image * channels + channel) * plane;
        const sum = taps.reduce((total, [offset, weight]) => total + weight * source[base + offset], 0);
        values[(image * channels + channel) * points + (point % points)] = sum;
      }
    }
    return [fromDoubles(tensor.dtype, [batch, channels, ...grid.shape.slice(1, -1)], values)];
  },
};

export default op;
