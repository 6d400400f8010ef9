/** Steps beyond those of random-graph.ts: what makes schedules hard, with the shapes that nobody draws by hand. */
import { elementCount } from "../../src/ir/graph.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import { codes, type Draw, post } from "../emulate/cases.ts";
import { type Builder, isActivation, isImage, STEPS, type Step, type Value } from "../emulate/random-graph.ts";

const NARROW = { variant: "tosa-single" } as const;

/** An 8-bit value between −128 and 127 with a post stage for a whole graph: no table, int8 codes. */
function toBytes(draw: Draw, channels: number, reach: number) {
  const stage = post(draw, channels, reach, { ...NARROW, table: false });
  return { ...stage, attributes: { ...stage.attributes, y_dtype: { s: "int8" }, ...limitsOf(draw) } };
}

function limitsOf(draw: Draw) {
  const zero = draw.int(-128, 127);
  return { y_zero: { i: zero }, y_min: { i: draw.maybe() ? -128 : Math.min(zero, 126) }, y_max: { i: 127 } };
}

interface Window {
  readonly kernel: readonly number[];
  readonly outputs: number;
  readonly groups?: number;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly pads?: readonly number[];
}

function addConv(builder: Builder, x: Value, window: Window, bytes = false): Value {
  const { draw } = builder;
  const { kernel, outputs, groups = 1 } = window;
  const wide = x.dtype === "int16";
  const inputs = x.shape[1] / groups;
  const depth = inputs * elementCount(kernel);
  const stage = bytes
    ? toBytes(draw, outputs, 2 ** 13 * Math.sqrt(depth))
    : post(draw, outputs, (wide ? 2 ** 21 : 2 ** 13) * Math.sqrt(depth), { variant: wide ? "wide" : "tosa-single" });
  const weights = codes(draw, "int8", [outputs, inputs, ...kernel], -127);
  const list = (given: readonly number[] | undefined) => (given ? { ints: given } : undefined);
  builder.add("Conv", [x.name, weights, codes(draw, "int32", [outputs], -9999, 9999), ...stage.inputs], {
    ...stage.attributes,
    x_zero: { i: wide ? 0 : draw.int(-128, 127) },
    strides: list(window.strides),
    dilations: list(window.dilations),
    pads: list(window.pads),
    group: { i: groups },
  });
  return builder.values[builder.values.length - 1];
}

function addSum(builder: Builder, a: Value, b: Value): void {
  const { draw } = builder;
  const stage = toBytes(draw, 1, 2 ** 27);
  builder.add("Add", [a.name, b.name, ...stage.inputs], {
    ...stage.attributes,
    a_multiplier: { i: draw.int(1, 2 ** 20) },
    b_multiplier: { i: draw.int(1, 2 ** 20) * draw.pick([1, -1]) },
  });
}

const same = (size: number) => (size - 1) >> 1;

export const HARD_STEPS: Readonly<Record<string, Step>> = {
  ...STEPS,
  /** Any window that the shape allows, with its own stride, dilation and pads on each side. */
  window(builder) {
    const { draw } = builder;
    const x = builder.find((value) => isActivation(value) && (value.shape.length === 3 || value.shape.length === 4));
    if (!x) return;
    const sizes = x.shape.slice(2);
    const dilations = sizes.map(() => draw.pick([1, 1, 2]));
    const pads = [...sizes, ...sizes].map(() => draw.int(0, 2));
    const kernel = sizes.map((size, axis) => {
      const room = size + pads[axis] + pads[axis + sizes.length];
      return draw.int(1, Math.min(5, Math.floor((room - 1) / dilations[axis]) + 1));
    });
    const groups = draw.pick([1, 1, 2, 3, x.shape[1]].filter((count) => x.shape[1] % count === 0));
    addConv(builder, x, {
      kernel,
      outputs: groups * draw.int(1, 6),
      groups,
      strides: sizes.map(() => draw.int(1, 4)),
      dilations,
      pads,
    });
  },
  pointwise(builder) {
    const x = builder.find((value) => isActivation(value) && value.shape.length === 4);
    if (x) addConv(builder, x, { kernel: [1, 1], outputs: builder.draw.pick([1, 3, 16, 97, 130]) });
  },
  depthwise(builder) {
    const x = builder.find(isImage);
    const { draw } = builder;
    if (!x) return;
    const kernel = [draw.pick([1, 3, 5]), draw.pick([1, 3, 5])].map((size, axis) =>
      Math.min(size, x.shape[2 + axis] * 2 - 1),
    );
    const pads = [...kernel, ...kernel].map(same);
    addConv(builder, x, {
      kernel,
      outputs: x.shape[1],
      groups: x.shape[1],
      pads,
      strides: [draw.int(1, 2), draw.int(1, 2)],
    });
  },
  deconv(builder) {
    const { draw } = builder;
    const x = builder.find(isImage);
    if (!x) return;
    const groups = draw.pick([1, 1, x.shape[1]]);
    const outputs = draw.int(1, 5);
    const kernel = [draw.int(1, 4), draw.int(1, 4)];
    const depth = (x.shape[1] / groups) * kernel[0] * kernel[1];
    const stage = post(draw, outputs * groups, 2 ** 13 * Math.sqrt(depth), NARROW);
    builder.add(
      "ConvTranspose",
      [
        x.name,
        codes(draw, "int8", [x.shape[1], outputs, ...kernel], -127),
        codes(draw, "int32", [outputs * groups], -9999, 9999),
        ...stage.inputs,
      ],
      {
        ...stage.attributes,
        x_zero: { i: draw.int(-128, 127) },
        strides: { ints: [draw.int(1, 3), draw.int(1, 3)] },
        pads: { ints: [...kernel, ...kernel].map((size) => draw.int(0, (size - 1) >> 1)) },
        group: { i: groups },
      },
    );
  },
  /** x + f(x), f one or two layers that keep the shape. */
  residual(builder) {
    const { draw } = builder;
    const x = builder.find(isImage);
    if (!x) return;
    const kernel = [3, 3].map((size, axis) => Math.min(size, x.shape[2 + axis] * 2 - 1));
    const pads = [...kernel, ...kernel].map(same);
    const hidden = draw.maybe() ? addConv(builder, x, { kernel, outputs: draw.int(1, 20), pads }, true) : x;
    addSum(builder, addConv(builder, hidden, { kernel, outputs: x.shape[1], pads }, true), x);
  },
  /** Expand, depthwise, shrink: what cascades are for. */
  bottleneck(builder) {
    const x = builder.find(isImage);
    if (!x) return;
    const wide = addConv(builder, x, { kernel: [1, 1], outputs: x.shape[1] * 4 }, true);
    const kernel = [3, 3].map((size, axis) => Math.min(size, x.shape[2 + axis] * 2 - 1));
    const deep = addConv(
      builder,
      wide,
      { kernel, outputs: wide.shape[1], groups: wide.shape[1], pads: [...kernel, ...kernel].map(same) },
      true,
    );
    addConv(builder, deep, { kernel: [1, 1], outputs: builder.draw.int(1, 12) }, true);
  },
  /** Several heads of attention over a sequence. */
  heads(builder) {
    const { draw } = builder;
    const x = builder.find(
      ({ dtype, shape }) => dtype === "int8" && shape.length === 3 && shape[1] > 1 && shape[2] % 2 === 0,
    );
    if (!x) return;
    const [batch, tokens, width] = x.shape;
    const last = () => builder.values[builder.values.length - 1];
    const split = (perm: readonly number[]): Value => {
      builder.add("Reshape", [x.name], { shape: { ints: [batch, tokens, 2, width / 2] } });
      builder.add("Transpose", [last().name], { perm: { ints: perm } });
      return last();
    };
    const [query, key, value] = [split([0, 2, 1, 3]), split([0, 2, 3, 1]), split([0, 2, 1, 3])];
    const stage = toBytes(draw, 1, 2 ** 13 * Math.sqrt(width));
    builder.add("MatMul", [query.name, key.name, undefined, ...stage.inputs], {
      ...stage.attributes,
      a_zero: { i: draw.int(-128, 127) },
      b_zero: { i: draw.int(-128, 127) },
    });
    const table = Int32Array.from({ length: 256 }, (_, d) => Math.round(2 ** 15 * Math.exp(-d / 30)));
    const normalised = draw.maybe();
    builder.add("Softmax", [last().name, makeTensor("int32", [256], table)], {
      axis: { i: -1 },
      normalised: { i: normalised ? 1 : 0 },
    });
    const mixed = toBytes(draw, 1, normalised ? 2 ** 13 : 2 ** 22);
    builder.add("MatMul", [last().name, value.name, undefined, ...mixed.inputs], {
      ...mixed.attributes,
      ...(normalised ? { a_zero: { i: -128 } } : { normalise: { i: 1 } }),
    });
    builder.add("Transpose", [last().name], { perm: { ints: [0, 2, 1, 3] } });
    builder.add("Reshape", [last().name], { shape: { ints: [batch, tokens, width] } });
  },
  extremes(builder) {
    const { draw } = builder;
    const x = builder.find((value) => isActivation(value) && value.shape.length >= 2);
    if (!x) return;
    const axes = x.shape.map((_, axis) => axis).filter(() => draw.maybe());
    builder.add(draw.pick(["ReduceMax", "ReduceMin"]), [x.name], {
      axes: { ints: axes.length > 0 ? axes : [x.shape.length - 1] },
      keepdims: { i: draw.int(0, 1) },
    });
  },
  softmax(builder) {
    const { draw } = builder;
    const x = builder.find(({ dtype, shape }) => dtype === "int8" && shape.length >= 1);
    if (!x) return;
    const table = Int32Array.from({ length: 256 }, (_, d) => Math.round(2 ** 15 * Math.exp(-d / 25)));
    builder.add("Softmax", [x.name, makeTensor("int32", [256], table)], {
      axis: { i: draw.int(0, x.shape.length - 1) },
      normalised: { i: 1 },
      y_dtype: { s: draw.pick(["int8", "int16"]) },
    });
  },
  /** Two branches of one value, each cut out and put together again. */
  shuffle(builder) {
    const x = builder.find(({ shape }) => shape.length === 4 && shape[1] > 1);
    if (!x) return;
    const cut = builder.draw.int(1, x.shape[1] - 1);
    const part = (start: number, end: number) => {
      builder.add("Slice", [x.name], {
        axes: { ints: [1] },
        starts: { ints: [start] },
        ends: { ints: [end] },
        steps: { ints: [1] },
      });
      return builder.values[builder.values.length - 1];
    };
    const [left, right] = [part(0, cut), part(cut, x.shape[1])];
    const changed = isImage(left) ? addConv(builder, left, { kernel: [1, 1], outputs: cut }, true) : left;
    builder.add("Concat", [right.name, changed.name], { axis: { i: 1 } });
  },
  rescale(builder) {
    const { draw } = builder;
    const x = builder.find(({ dtype }) => dtype === "int8");
    if (!x) return;
    const stage = post(draw, 1, 256, { ...NARROW, table: false });
    builder.add("Rescale", [x.name, stage.inputs[0], stage.inputs[1]], {
      ...stage.attributes,
      x_zero: { i: draw.int(-128, 127) },
    });
  },
  sixAxes(builder) {
    const x = builder.find(({ shape }) => shape.length === 4);
    if (!x) return;
    const [n, c, h, w] = x.shape;
    const half = (size: number) => (size % 2 === 0 ? [size / 2, 2] : [size, 1]);
    builder.add("Reshape", [x.name], { shape: { ints: [n, c, ...half(h), ...half(w)] } });
    const perm = builder.draw.pick([
      [0, 1, 3, 5, 2, 4],
      [0, 1, 2, 4, 3, 5],
      [0, 5, 3, 1, 2, 4],
    ]);
    builder.add("Transpose", [builder.values[builder.values.length - 1].name], { perm: { ints: perm } });
  },
};

/** Images of odd sizes, sequences, vectors; batches of up to three. */
export function hardInputs(draw: Draw): Value[] {
  const batch = draw.pick([1, 1, 1, 2, 3]);
  const size = () => draw.pick([1, 2, draw.int(3, 9), draw.int(8, 20)]);
  const image = { name: "x", dtype: "int8", shape: [batch, draw.pick([1, 2, 3, 8, 24]), size(), size()] } as const;
  const others: Value[] = [
    { name: "z", dtype: "int8", shape: [batch, draw.int(2, 9), 2 * draw.int(1, 8)] },
    { name: "u", dtype: "int8", shape: image.shape },
    { name: "v", dtype: "int16", shape: image.shape },
  ];
  return [image, ...others.filter(() => draw.int(0, 2) === 0)];
}
