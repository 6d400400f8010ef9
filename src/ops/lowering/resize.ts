import { floatAttr, intAttr, stringAttr } from "../../ir/graph.ts";
import { makeTensor } from "../../ir/tensor.ts";
import type { Code, IntegerLowering, LoweringContext } from "../integer.ts";
import { transposeCode, typeOfCode } from "./linear.ts";
import { emitMove } from "./move.ts";
import { multiplierOf } from "./multiplier.ts";
import { codeRange, scaleOf, zeroOf } from "./post.ts";

/**
 * Resize, axis by axis: nearest is a Gather with constant indices; linear and cubic are products with the constant matrix of
 * interpolation weights (7 fractional bits), since that is what the array does best.
 */
export const lowerResize: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no quantization";
  const { node } = context;
  const mode = stringAttr(node, "mode", "nearest");
  const given = node.attrs.get("antialias");
  if (given && "i" in given && Number(given.i) !== 0) return "antialiasing has no integer form";
  if (node.inputs[2] && !context.constant(2)) return "its scales are computed at run time";
  if (!node.inputs[2] && stringAttr(node, "keep_aspect_ratio_policy", "stretch") !== "stretch") {
    return "sizes that keep the aspect ratio were not made into scales";
  }
  const output = context.output(0);
  const scales = scalesOf(context, x, output);
  const axes = [...x.shape.keys()].filter((axis) => x.shape[axis] !== output.shape[axis] || scales[axis] !== 1);
  const position = positionRule(stringAttr(node, "coordinate_transformation_mode", "half_pixel"));
  // The region of interest (input 1) counts for tf_crop_and_resize only.
  if (!position) return "its coordinate transformation has no integer form";
  const cubic = {
    coefficient: floatAttr(node, "cubic_coeff_a", -0.75),
    exclude: intAttr(node, "exclude_outside", 0) !== 0,
  };
  let value = x;
  for (const [step, axis] of axes.entries()) {
    const sources = Array.from({ length: output.shape[axis] }, (_, index) =>
      position(index, scales[axis], x.shape[axis], output.shape[axis]),
    );
    const tapsOf = (source: number): readonly Tap[] =>
      mode === "cubic" ? cubicTaps(source, x.shape[axis], cubic) : linearTaps(source, x.shape[axis]);
    const shape = value.shape.map((size, at) => (at === axis ? output.shape[axis] : size));
    const last = step === axes.length - 1;
    value =
      mode === "nearest"
        ? gather(context, value, axis, nearestIndices(node.attrs, sources, x.shape[axis]), shape)
        : interpolate(context, value, axis, sources.map(tapsOf), shape, last ? output : undefined);
  }
  if (value.name === output.name) return undefined;
  return emitMove(context, "Reshape", [value.name], { shape: { ints: output.shape } }, value);
};

function scalesOf(context: LoweringContext, x: Code, output: Code): number[] {
  const tensor = context.node.inputs[2] ? context.constant(2) : undefined;
  const given = tensor ? Array.from(tensor.data as Float32Array) : [];
  const axes = context.node.attrs.get("axes");
  const list =
    axes && "ints" in axes ? axes.ints.map((axis) => (Number(axis) + x.shape.length) % x.shape.length) : undefined;
  return x.shape.map((size, axis) => {
    const place = list ? list.indexOf(axis) : axis;
    return given[place] ?? output.shape[axis] / size;
  });
}

type Position = (index: number, scale: number, size: number, resized: number) => number;

/** ONNX Resize, coordinate_transformation_mode: where output index lies in the input. */
function positionRule(mode: string): Position | undefined {
  switch (mode) {
    case "half_pixel":
      return (index, scale) => (index + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return (index, scale, _size, resized) => (resized > 1 ? (index + 0.5) / scale - 0.5 : 0);
    case "half_pixel_symmetric":
      return (index, scale, size, resized) => {
        const adjust = resized / (scale * size);
        return (size / 2) * (1 - adjust) + (index + 0.5) / scale - 0.5;
      };
    case "align_corners":
      return (index, _scale, size, resized) => (resized === 1 ? 0 : (index * (size - 1)) / (resized - 1));
    case "asymmetric":
      return (index, scale) => index / scale;
    default:
      return undefined;
  }
}

function nearestIndices(attrs: LoweringContext["node"]["attrs"], sources: readonly number[], size: number): number[] {
  const attr = attrs.get("nearest_mode");
  const rule = attr && "s" in attr ? attr.s : "round_prefer_floor";
  const pick = (x: number) => {
    if (rule === "floor") return Math.floor(x);
    if (rule === "ceil") return Math.ceil(x);
    if (rule === "round_prefer_ceil") return Math.floor(x + 0.5);
    return Math.ceil(x - 0.5);
  };
  return sources.map((source) => Math.min(size - 1, Math.max(0, pick(source))));
}

function gather(context: LoweringContext, x: Code, axis: number, indices: readonly number[], shape: number[]): Code {
  const constant = context.add(makeTensor("int32", [indices.length], Int32Array.from(indices)), `${x.name}/indices`);
  const made: Code = { ...x, shape };
  const type = typeOfCode(made);
  return {
    ...made,
    name: context.emit({ op: "Gather", inputs: [x.name, constant], attrs: { axis: { i: axis } }, type }),
  };
}

const FRACTION = 64;

/** A source cell and its share of the result; the shares of one result are 1 together. */
interface Tap {
  readonly index: number;
  readonly weight: number;
}

function linearTaps(source: number, size: number): Tap[] {
  const inside = Math.min(size - 1, Math.max(0, source));
  const floor = Math.min(size - 1, Math.floor(inside));
  const share = inside - floor;
  return [
    { index: floor, weight: 1 - share },
    { index: Math.min(size - 1, floor + 1), weight: share },
  ];
}

/** Keys' cubic convolution over four cells; beyond the ends the last cell counts again, or nothing with `exclude`. */
function cubicTaps(
  source: number,
  size: number,
  rule: { readonly coefficient: number; readonly exclude: boolean },
): Tap[] {
  const a = rule.coefficient;
  const floor = Math.floor(source);
  const weightAt = (distance: number) => {
    const d = Math.abs(distance);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
  };
  const taps = [-1, 0, 1, 2].map((step) => ({ at: floor + step, weight: weightAt(source - floor - step) }));
  const counted = taps.filter(({ at }) => !rule.exclude || (at >= 0 && at < size));
  const total = counted.reduce((sum, { weight }) => sum + weight, 0);
  return counted.map(({ at, weight }) => ({ index: Math.min(size - 1, Math.max(0, at)), weight: weight / total }));
}

/** [.., size, ..] → [.., resized, ..]: the axis is brought last, multiplied with [size, resized], and brought back. */
function interpolate(
  context: LoweringContext,
  x: Code,
  axis: number,
  columns: readonly (readonly Tap[])[],
  shape: readonly number[],
  target: Code | undefined,
): Code {
  const size = x.shape[axis];
  const resized = columns.length;
  const weights = new Int8Array(size * resized);
  columns.forEach((taps, column) => {
    const codes = taps.map(({ weight }) => Math.round(weight * FRACTION));
    // What rounding lost or won goes to the heaviest: a constant stays what it is.
    const heaviest = taps.reduce((best, tap, at) => (tap.weight > taps[best].weight ? at : best), 0);
    codes[heaviest] += FRACTION - codes.reduce((sum, code) => sum + code, 0);
    taps.forEach(({ index }, at) => {
      weights[index * resized + column] += codes[at];
    });
  });
  const rank = x.shape.length;
  const last = axis === rank - 1;
  const perm = x.shape.map((_, at) => (at === axis ? rank - 1 : at === rank - 1 ? axis : at));
  const rows = last ? x : transposeCode(context, x, perm);
  const b = context.add(makeTensor("int8", [size, resized], weights), `${x.name}/interpolation`);
  // The last step stores the result as it is to be; those before it keep the input's codes.
  const made: Code = { ...(target ?? x), shape: [...rows.shape.slice(0, -1), resized], name: "" };
  const [low, high] = codeRange(made);
  const isWide = x.dtype === "int16";
  const factor = multiplierOf(scaleOf(x) / FRACTION / scaleOf(made), isWide ? 15 : 31);
  const product = context.emit({
    op: "MatMul",
    inputs: [
      rows.name,
      b,
      "",
      context.add(makeTensor("int32", [1], Int32Array.of(factor.multiplier)), `${x.name}/multiplier`),
      context.add(makeTensor("int32", [1], Int32Array.of(factor.shift)), `${x.name}/shift`),
    ],
    attrs: {
      a_zero: { i: zeroOf(x) },
      b_zero: { i: 0 },
      y_zero: { i: zeroOf(made) },
      y_min: { i: low },
      y_max: { i: high },
      y_dtype: { s: made.dtype },
      wide: isWide ? { i: 1 } : undefined,
    },
    type: typeOfCode(made),
    name: last ? target?.name : undefined,
  });
  if (last) return { ...made, name: product, shape };
  return { ...transposeCode(context, { ...made, name: product }, perm, target?.name), shape };
}
