/** One random case of each of the chip's operators. */
import { elementCount } from "../../src/ir/graph.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import { build, type Case, codes, type Draw, post, type Variant } from "./cases.ts";
import { anyShape, gather, tensorScatter } from "./generators-rows.ts";
import { int4Weights, withInt4Weights } from "./int4.ts";
import { packNibbles, unpackNibbles } from "./nibbles.ts";

const NARROW: readonly Variant[] = ["tosa-single", "tosa-double", "ort-f32-rne"];
const ALL: readonly Variant[] = [...NARROW, "wide"];

/** 16-bit operands need the wide form; 8-bit ones take any. */
function operand(
  draw: Draw,
  wideChance = 4,
): { dtype: "int8" | "int16"; zero: number; variant: Variant; reach: number } {
  const wide = draw.int(1, wideChance) === 1;
  const zero = wide ? 0 : draw.pick([0, -128, 127, draw.int(-128, 127)]);
  const dtype = wide ? "int16" : "int8";
  return { dtype, zero, variant: wide ? "wide" : draw.pick(NARROW), reach: wide ? 2 ** 22 : 2 ** 14 };
}

function windowAttributes(draw: Draw, axes: number, kernel: readonly number[]) {
  const list = (low: number, high: number) => ({ ints: Array.from({ length: axes }, () => draw.int(low, high)) });
  return {
    strides: list(1, 3),
    dilations: list(1, 2),
    pads: { ints: [...kernel, ...kernel].map((size) => draw.int(0, size - 1)) },
  };
}

function conv(draw: Draw, transposed: boolean): Case {
  const axes = draw.pick([1, 2, 2, 2, 3]);
  const pointwise = draw.int(0, 3) === 0;
  const group = draw.pick([1, 1, 1, 2, 3]);
  const depthwise = !pointwise && draw.int(0, 3) === 0;
  const [inputs, outputs] = depthwise ? [1, draw.int(1, 2)] : [draw.int(1, 9), draw.int(1, 9)];
  const kernel = Array.from({ length: axes }, () => (pointwise ? 1 : draw.int(1, 3)));
  const sizes = kernel.map(() => draw.int(6, axes === 3 ? 7 : 19));
  const { dtype, zero, variant, reach } = operand(draw);
  const groups = depthwise ? draw.int(2, 5) : group;
  const shape = transposed ? [inputs * groups, outputs, ...kernel] : [outputs * groups, inputs, ...kernel];
  const depth = inputs * elementCount(kernel);
  const stage = post(draw, outputs * groups, reach * Math.sqrt(depth), { variant });
  const window = pointwise && draw.maybe() ? {} : windowAttributes(draw, axes, kernel);
  return build({
    op: transposed ? "ConvTranspose" : "Conv",
    feeds: { x: codes(draw, dtype, [draw.int(1, 2), inputs * groups, ...sizes]) },
    inputs: [
      "x",
      codes(draw, "int8", shape, -127),
      codes(draw, "int32", [outputs * groups], -(2 ** 18), 2 ** 18),
      ...stage.inputs,
    ],
    attributes: { ...stage.attributes, ...window, group: { i: groups }, x_zero: { i: zero } },
  });
}

function matMul(draw: Draw): Case {
  const [m, k, n] = [draw.int(1, 9), draw.int(1, 40), draw.int(1, 21)];
  const [batch, heads] = [draw.int(1, 2), draw.int(1, 3)];
  const normalise = draw.int(0, 4) === 0;
  const { dtype, zero, variant, reach } = normalise
    ? { dtype: "uint8" as const, zero: 0, variant: draw.pick(NARROW), reach: 2 ** 20 }
    : operand(draw);
  const shapes = draw.pick([
    [
      [m, k],
      [k, n],
    ],
    [
      [batch, heads, m, k],
      [k, n],
    ],
    [
      [batch, heads, m, k],
      [batch, heads, k, n],
    ],
    [
      [batch, heads, m, k],
      [heads, k, n],
    ],
    [[k], [batch, k, n]],
    [[batch, m, k], [k]],
  ]);
  const b = codes(draw, "int8", shapes[1], draw.maybe() ? -128 : -127);
  const columns = shapes[1].length === 1 ? 1 : n;
  const constant = draw.maybe();
  const stage = post(draw, columns, normalise ? reach : reach * Math.sqrt(k), { variant });
  const bias = !normalise && draw.maybe() ? codes(draw, "int32", [columns], -(2 ** 18), 2 ** 18) : undefined;
  return build({
    op: "MatMul",
    feeds: { a: codes(draw, dtype, shapes[0]), ...(constant ? {} : { b }) },
    inputs: ["a", constant ? b : "b", bias, ...stage.inputs],
    attributes: {
      ...stage.attributes,
      a_zero: { i: zero },
      b_zero: { i: constant ? 0 : draw.pick([0, -128, 127, 3]) },
      normalise: normalise ? { i: 1 } : undefined,
    },
  });
}

/** Two shapes that broadcast. */
function broadcast(draw: Draw): [number[], number[]] {
  const shape = Array.from({ length: draw.int(1, 4) }, () => draw.int(1, 7));
  const squeeze = (dims: number[]) => dims.map((dim) => (draw.int(0, 3) === 0 ? 1 : dim));
  const drop = (dims: number[]) => dims.slice(draw.int(0, dims.length - 1));
  const other = draw.pick([shape, squeeze(shape), drop(shape), squeeze(drop(shape))]);
  return draw.maybe() ? [shape, other] : [other, shape];
}

function elementwise(draw: Draw, op: "Add" | "Mul"): Case {
  const [left, right] = broadcast(draw);
  const [a, b] = [operand(draw), operand(draw)];
  const factor = () => draw.int(1, a.dtype === "int16" || b.dtype === "int16" ? 2 ** 13 : 2 ** 20) * draw.pick([1, -1]);
  const large = a.dtype === "int16" || b.dtype === "int16" ? 2 ** 28 : 2 ** 27;
  const stage = post(draw, 1, op === "Add" ? large : a.reach, { variant: draw.pick(ALL) });
  const constant = draw.maybe();
  const bTensor = codes(draw, b.dtype, right);
  return build({
    op,
    feeds: { a: codes(draw, a.dtype, left), ...(constant ? {} : { b: bTensor }) },
    inputs: ["a", constant ? bTensor : "b", ...stage.inputs],
    attributes: {
      ...stage.attributes,
      a_zero: { i: a.zero },
      b_zero: { i: b.zero },
      ...(op === "Add" ? { a_multiplier: { i: factor() }, b_multiplier: { i: factor() } } : {}),
    },
  });
}

function extreme(draw: Draw, op: "Max" | "Min"): Case {
  const [left, right] = broadcast(draw);
  const dtype = draw.pick(["int8", "int16"] as const);
  return build({
    op,
    feeds: { a: codes(draw, dtype, left), b: codes(draw, dtype, right) },
    inputs: ["a", "b"],
    attributes: {},
  });
}

function pool(draw: Draw, average: boolean): Case {
  const axes = draw.pick([1, 2, 2, 3]);
  const kernel = Array.from({ length: axes }, () => draw.int(1, 3));
  const { dtype, zero } = operand(draw);
  const sizes = kernel.map(() => draw.int(6, 11));
  const stage = post(draw, elementCount(kernel), 2 ** 10, { table: false, variant: draw.pick(ALL) });
  const { dilations, ...window } = windowAttributes(draw, axes, kernel);
  return build({
    op: average ? "AveragePool" : "MaxPool",
    feeds: { x: codes(draw, dtype, [draw.int(1, 2), draw.int(1, 3), ...sizes]) },
    inputs: average ? ["x", stage.inputs[0], stage.inputs[1]] : ["x"],
    attributes: {
      ...(average
        ? { ...stage.attributes, x_zero: { i: zero }, count_include_pad: { i: draw.int(0, 1) } }
        : { dilations }),
      ...window,
      kernel_shape: { ints: kernel },
      ceil_mode: { i: draw.int(0, 1) },
    },
  });
}

function reduce(draw: Draw, op: "ReduceSum" | "ReduceMax" | "ReduceMin"): Case {
  const shape = anyShape(draw);
  const { dtype, zero } = operand(draw);
  const axes = shape.map((_, axis) => axis).filter(() => draw.maybe());
  const stage = post(draw, 1, dtype === "int8" ? 2 ** 10 : 2 ** 18, { variant: draw.pick(ALL) });
  return build({
    op,
    feeds: { x: codes(draw, dtype, shape) },
    inputs: op === "ReduceSum" ? ["x", ...stage.inputs] : ["x"],
    attributes: {
      ...(op === "ReduceSum" ? { ...stage.attributes, x_zero: { i: zero } } : {}),
      axes: axes.length > 0 ? { ints: draw.maybe() ? axes : axes.map((axis) => axis - shape.length) } : undefined,
      keepdims: { i: draw.int(0, 1) },
    },
  });
}

/** Few different codes, so that the largest is often there twice. */
function reduceMargin(draw: Draw): Case {
  const given = anyShape(draw, 3);
  const at = draw.int(0, given.length);
  const shape = [...given.slice(0, at), draw.int(2, 6), ...given.slice(at)];
  const dtype = draw.pick(["int8", "int16"] as const);
  const feeds = { x: draw.maybe() ? codes(draw, dtype, shape, -2, 2) : codes(draw, dtype, shape) };
  const axes = { ints: [draw.maybe() ? at : at - shape.length] };
  const attributes = { axes, keepdims: { i: draw.int(0, 1) }, ctc: { i: draw.int(0, 1) } };
  return build({ op: "ReduceMargin", feeds, inputs: ["x"], attributes });
}

/** Few enough codes for their squares: three of 16 bits. */
function reduceL2(draw: Draw): Case {
  const { dtype, zero } = operand(draw, 2);
  const given = dtype === "int8" ? anyShape(draw) : anyShape(draw, 3);
  const few = draw.int(1, 3);
  const at = draw.int(0, given.length);
  const shape = dtype === "int8" ? given : [...given.slice(0, at), few, ...given.slice(at)];
  const axes = dtype === "int8" ? shape.map((_, axis) => axis).filter(() => draw.maybe()) : [at];
  const stage = post(draw, 1, dtype === "int8" ? 2 ** 19 : 2 ** 25, { table: false, variant: "wide" });
  return build({
    op: "ReduceL2",
    feeds: { x: codes(draw, dtype, shape) },
    inputs: ["x", stage.inputs[0], stage.inputs[1]],
    attributes: {
      ...stage.attributes,
      x_zero: { i: zero },
      axes: axes.length > 0 ? { ints: draw.maybe() ? axes : axes.map((axis) => axis - shape.length) } : undefined,
      keepdims: { i: draw.int(0, 1) },
    },
  });
}

function softmax(draw: Draw): Case {
  const shape = anyShape(draw, 3);
  const wide = draw.maybe();
  const decay = draw.int(1, 300) / 1000;
  const power = (d: number) => Math.round(2 ** 15 * Math.exp(-d * decay));
  const table = wide
    ? [...Array.from({ length: 256 }, (_, d) => power(d)), ...Array.from({ length: 256 }, (_, d) => power(d / 256))]
    : Array.from({ length: 256 }, (_, d) => power(d));
  return build({
    op: "Softmax",
    feeds: { x: codes(draw, wide ? "int16" : "int8", shape) },
    inputs: ["x", makeTensor("int32", [table.length], Int32Array.from(table))],
    attributes: {
      axis: { i: draw.int(-shape.length, shape.length - 1) },
      normalised: { i: draw.int(0, 2) > 0 ? 1 : 0 },
      y_dtype: { s: draw.pick(["int8", "int16"]) },
    },
  });
}

function layerNorm(draw: Draw): Case {
  const shape = anyShape(draw, 3);
  const axis = draw.int(0, shape.length - 1);
  const size = elementCount(shape.slice(axis));
  const { dtype, zero } = operand(draw);
  const stage = post(draw, 1, 2 ** 28, { table: false, variant: "wide" });
  return build({
    op: "LayerNorm",
    feeds: { x: codes(draw, dtype, shape) },
    inputs: [
      "x",
      codes(draw, "int16", [size]),
      codes(draw, "int32", [size], -(2 ** 28), 2 ** 28),
      stage.inputs[0],
      stage.inputs[1],
    ],
    attributes: {
      ...stage.attributes,
      x_zero: { i: zero },
      axis: { i: draw.maybe() ? axis : axis - shape.length },
      center: { i: draw.int(0, 1) },
      epsilon: { i: draw.pick([1, 7, 1000, 2 ** 20]) },
    },
  });
}

function table(draw: Draw): Case {
  const wide = draw.maybe();
  const dtype = wide || draw.maybe() ? "int16" : "int8";
  return build({
    op: "Table",
    feeds: { x: codes(draw, wide ? "int16" : "int8", anyShape(draw)) },
    inputs: ["x", codes(draw, dtype, [wide ? 513 : 256])],
    attributes: {},
  });
}

function rescale(draw: Draw): Case {
  const { dtype, zero } = operand(draw, 2);
  const stage = post(draw, 1, dtype === "int8" ? 256 : 2 ** 16, { table: false, variant: draw.pick(ALL) });
  return build({
    op: "Rescale",
    feeds: { x: codes(draw, dtype, anyShape(draw)) },
    inputs: ["x", stage.inputs[0], stage.inputs[1]],
    attributes: { ...stage.attributes, x_zero: { i: zero } },
  });
}

/** One input, only moved. */
function moved(
  draw: Draw,
  op: string,
  attributes: (shape: readonly number[]) => Parameters<typeof build>[0]["attributes"],
) {
  const shape = anyShape(draw);
  const x = codes(draw, draw.pick(["int8", "int16"] as const), shape);
  return build({ op, feeds: { x }, inputs: ["x"], attributes: attributes(shape) });
}

function shuffled(draw: Draw, count: number): number[] {
  const rest = Array.from({ length: count }, (_, index) => index);
  return Array.from({ length: count }, () => rest.splice(draw.int(0, rest.length - 1), 1)[0]);
}

function slice(draw: Draw): Case {
  return moved(draw, "Slice", (shape) => {
    const axes = shuffled(draw, shape.length).slice(0, draw.int(1, shape.length));
    const cuts = axes.map((axis) => {
      const step = draw.pick([1, 1, 2, -1, -2]);
      const start = draw.int(0, shape[axis] - 1);
      return step > 0
        ? { step, start, end: draw.int(start + 1, shape[axis]) }
        : { step, start, end: draw.int(-1, start - 1) };
    });
    return {
      axes: { ints: axes },
      starts: { ints: cuts.map(({ start }) => start) },
      ends: { ints: cuts.map(({ end }) => end) },
      steps: { ints: cuts.map(({ step }) => step) },
    };
  });
}

function concat(draw: Draw): Case {
  const shape = anyShape(draw);
  const axis = draw.int(0, shape.length - 1);
  const dtype = draw.pick(["int8", "int16"] as const);
  const names = ["a", "b", "c"].slice(0, draw.int(1, 3));
  const part = () =>
    codes(
      draw,
      dtype,
      shape.map((size, at) => (at === axis ? draw.int(1, 4) : size)),
    );
  const feeds = Object.fromEntries(names.map((name) => [name, part()]));
  return build({ op: "Concat", feeds, inputs: [...names, ...names.slice(0, 1)], attributes: { axis: { i: axis } } });
}

/** Weights of 4 bits, alone or under the operator that reads them. */
function unpackWeights(draw: Draw): Case {
  if (draw.int(0, 3) === 0) {
    const { w, factors, attributes } = int4Weights(draw);
    return build({ op: "UnpackWeights", feeds: {}, inputs: [w, factors], attributes });
  }
  const { graph, feeds } = draw.pick([() => conv(draw, false), () => conv(draw, true), () => matMul(draw)])();
  return { graph: withInt4Weights(graph, draw), feeds };
}

export const GENERATORS: Readonly<Record<string, (draw: Draw) => Case>> = {
  Conv: (draw) => conv(draw, false),
  ConvTranspose: (draw) => conv(draw, true),
  MatMul: matMul,
  Add: (draw) => elementwise(draw, "Add"),
  Mul: (draw) => elementwise(draw, "Mul"),
  Rescale: rescale,
  Table: table,
  MaxPool: (draw) => pool(draw, false),
  AveragePool: (draw) => pool(draw, true),
  ReduceSum: (draw) => reduce(draw, "ReduceSum"),
  ReduceL2: reduceL2,
  ReduceMargin: reduceMargin,
  ReduceMax: (draw) => reduce(draw, "ReduceMax"),
  ReduceMin: (draw) => reduce(draw, "ReduceMin"),
  Max: (draw) => extreme(draw, "Max"),
  Min: (draw) => extreme(draw, "Min"),
  Softmax: softmax,
  LayerNorm: layerNorm,
  Gather: gather,
  TensorScatter: tensorScatter,
  Reshape: (draw) => moved(draw, "Reshape", (shape) => ({ shape: { ints: [1, elementCount(shape)] } })),
  Transpose: (draw) => moved(draw, "Transpose", (shape) => ({ perm: { ints: shuffled(draw, shape.length) } })),
  Slice: slice,
  Concat: concat,
  Pad: (draw) =>
    moved(draw, "Pad", (shape) => ({
      pads: { ints: [...shape, ...shape].map((size) => draw.int(0, Math.min(3, size - 1))) },
      value: { i: draw.int(-128, 127) },
      mode: { s: draw.pick(["constant", "reflect", "edge"]) },
    })),
  Expand: (draw) =>
    moved(draw, "Expand", (shape) => ({ shape: { ints: [2, ...shape.map((size) => (size === 1 ? 3 : 1))] } })),
  UnpackWeights: unpackWeights,
  PackNibbles: packNibbles,
  UnpackNibbles: (draw) => unpackNibbles(draw, matMul),
  Cast: (draw) => moved(draw, "Cast", () => ({ to: { s: draw.pick(["int8", "int16", "uint8", "int32"]) } })),
};
