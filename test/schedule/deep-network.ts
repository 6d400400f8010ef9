/** Random deep networks with tall tensors: chains with branches, windows, strides and joins, for cascades to cut. */
import { type Attr, attrs, type Graph, makeGraph, type Node, type Tensor, type Type } from "../../src/ir/graph.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { codes, type Draw, post } from "../emulate/cases.ts";

interface Value {
  readonly name: string;
  readonly shape: readonly number[];
}

class Builder {
  readonly draw: Draw;
  readonly values: Value[] = [];
  private readonly nodes: Node[] = [];
  private readonly constants = new Map<string, Tensor>();
  private readonly types = new Map<string, Type>();
  private count = 0;

  constructor(draw: Draw, shape: readonly number[]) {
    this.draw = draw;
    this.values.push({ name: "x", shape });
    this.types.set("x", { dtype: "int8", shape });
  }

  add(op: string, inputs: readonly (string | Tensor)[], given: Record<string, Attr | undefined>): Value {
    const names = inputs.map((input) => {
      if (typeof input === "string") return input;
      const name = `c${this.count++}`;
      this.constants.set(name, input);
      return name;
    });
    const name = `v${this.count++}`;
    this.nodes.push({
      op,
      domain: "npu",
      inputs: names,
      outputs: [name],
      attrs: attrs(given),
      origin: [`${op}-${name}`],
    });
    const typed = inferTypes(
      makeGraph({
        inputs: this.values.map((value) => value.name),
        outputs: [name],
        nodes: [this.nodes[this.nodes.length - 1]],
        constants: this.constants,
        types: this.types,
      }),
    );
    const type = typed.types.get(name) as Type;
    this.types.set(name, type);
    const value = { name, shape: type.shape as readonly number[] };
    this.values.push(value);
    return value;
  }

  /** A post stage that stores int8. */
  stage(channels: number, depth: number) {
    for (;;) {
      const found = post(this.draw, channels, 2 ** 12 * Math.sqrt(depth), { variant: "tosa-single", table: false });
      if (found.attributes.y_dtype && "s" in found.attributes.y_dtype && found.attributes.y_dtype.s === "int8") {
        return { constants: found.inputs.slice(0, 2) as Tensor[], attributes: found.attributes };
      }
    }
  }

  last(): Value {
    return this.values[this.values.length - 1];
  }

  /** The last value, or now and then an earlier one of its rank. */
  some(): Value {
    const same = this.values.filter(({ shape }) => shape.length === this.last().shape.length);
    return this.draw.int(0, 4) === 0 ? this.draw.pick(same) : this.last();
  }

  graph(): Graph {
    const read = new Set(this.nodes.flatMap(({ inputs }) => inputs));
    const outputs = this.values.filter(({ name }) => name !== "x" && !read.has(name)).map(({ name }) => name);
    const { nodes, constants, types } = this;
    return inferTypes(makeGraph({ inputs: ["x"], outputs, nodes, constants, types }));
  }
}

function conv(builder: Builder): void {
  const { draw } = builder;
  const x = builder.some();
  const spatial = x.shape.slice(2);
  const kernel = spatial.map((size) => (size >= 5 ? draw.pick([1, 3, 3, 5]) : 1));
  const dilations = kernel.map((size, axis) => (size === 3 && spatial[axis] >= 8 ? draw.pick([1, 1, 2]) : 1));
  const strides = spatial.map((size) => (size >= 12 ? draw.pick([1, 1, 2]) : 1));
  const depthwise = draw.int(0, 2) === 0;
  const [groups, channels] = depthwise ? [x.shape[1], x.shape[1]] : [1, draw.int(2, 10)];
  const depth = x.shape[1] / groups;
  const { constants, attributes } = builder.stage(channels, depth * kernel.reduce((a, b) => a * b, 1));
  const weights = codes(draw, "int8", [channels, depth, ...kernel], -127);
  const most = (axis: number) => (kernel[axis] - 1) * dilations[axis];
  const pads = [0, 1].flatMap(() => kernel.map((_, axis) => draw.int(most(axis) >> 2, most(axis) >> 1)));
  builder.add("Conv", [x.name, weights, codes(draw, "int32", [channels], -999, 999), ...constants], {
    ...attributes,
    x_zero: { i: draw.int(-128, 127) },
    strides: { ints: strides },
    dilations: { ints: dilations },
    pads: { ints: pads },
    group: { i: groups },
  });
}

function pool(builder: Builder): void {
  const x = builder.some();
  if (x.shape.length !== 4 || x.shape[2] < 6 || x.shape[3] < 4) return;
  const size = builder.draw.pick([2, 3]);
  const strides = { ints: [builder.draw.int(1, size), 1] };
  const pads = { ints: [size >> 1, size >> 1, builder.draw.int(0, size >> 1), 0] };
  builder.add("MaxPool", [x.name], { kernel_shape: { ints: [size, size] }, strides, pads });
}

function sum(builder: Builder): void {
  const a = builder.last();
  const others = builder.values.filter(({ name, shape }) => name !== a.name && String(shape) === String(a.shape));
  if (others.length === 0) return;
  const b = builder.draw.pick(others);
  if (builder.draw.maybe()) {
    builder.add("Max", [a.name, b.name], {});
    return;
  }
  const { constants, attributes } = builder.stage(1, 2 ** 20);
  builder.add("Add", [a.name, b.name, ...constants], {
    ...attributes,
    a_multiplier: { i: 2 ** 14 },
    b_multiplier: { i: -(2 ** 13) },
    a_zero: { i: builder.draw.int(-128, 127) },
  });
}

function concat(builder: Builder): void {
  const a = builder.last();
  const fits = ({ name, shape }: Value) =>
    name !== a.name &&
    shape.length === a.shape.length &&
    shape.every((size, axis) => axis === 1 || size === a.shape[axis]);
  const others = builder.values.filter(fits);
  if (others.length === 0 || a.shape[1] > 24) return;
  builder.add("Concat", [builder.draw.pick(others).name, a.name], { axis: { i: 1 } });
}

/** Nearest neighbours, as import writes it. */
function upsample(builder: Builder): void {
  const { name, shape } = builder.last();
  if (shape.length !== 4 || shape[2] > 24) return;
  const [batch, channels, height, width] = shape;
  const split = builder.add("Reshape", [name], { shape: { ints: [batch, channels, height, 1, width, 1] } });
  const wide = builder.add("Expand", [split.name], { shape: { ints: [batch, channels, height, 2, width, 2] } });
  builder.add("Reshape", [wide.name], { shape: { ints: [batch, channels, height * 2, width * 2] } });
}

/** A split and what becomes of its halves. */
function split(builder: Builder): void {
  const { name, shape } = builder.last();
  if (shape[1] < 2) return;
  const half = shape[1] >> 1;
  const part = (from: number, to: number) =>
    builder.add("Slice", [name], { starts: { ints: [from] }, ends: { ints: [to] }, axes: { ints: [1] } });
  part(0, half);
  part(half, 2 * half);
}

function product(builder: Builder): void {
  const { draw } = builder;
  const x = builder.some();
  const depth = x.shape[x.shape.length - 1];
  const columns = draw.int(3, 16);
  const { constants, attributes } = builder.stage(columns, depth);
  const weights = codes(draw, "int8", [depth, columns], -127);
  builder.add("MatMul", [x.name, weights, codes(draw, "int32", [columns], -999, 999), ...constants], {
    ...attributes,
    a_zero: { i: draw.int(-128, 127) },
  });
}

/** Rows against each other: every row needs all of them. */
function attention(builder: Builder): void {
  const x = builder.last();
  const other = builder.add("Transpose", [x.name], { perm: { ints: [0, 2, 1] } });
  const first = builder.stage(1, x.shape[2]);
  const scores = builder.add("MatMul", [x.name, other.name, "", ...first.constants], first.attributes);
  const second = builder.stage(1, x.shape[1]);
  builder.add("MatMul", [scores.name, x.name, "", ...second.constants], second.attributes);
}

const IMAGE = [conv, conv, conv, conv, pool, sum, sum, concat, upsample, split];
const SIGNAL = [conv, conv, conv, sum, concat, split];
const TOKENS = [product, product, sum, sum, attention];

/** A network of one of three kinds: [1, C, H, W], [1, C, L] or [1, T, D]. */
export function deepNetwork(draw: Draw, length: number): Graph {
  const kind = draw.int(0, 4);
  const [steps, shape] =
    kind < 3
      ? [IMAGE, [1, draw.int(1, 6), draw.int(12, 40), draw.int(4, 12)]]
      : kind === 3
        ? [SIGNAL, [1, draw.int(1, 6), draw.int(60, 300)]]
        : [TOKENS, [1, draw.int(12, 40), draw.int(4, 16)]];
  const builder = new Builder(draw, shape);
  for (let step = 0; step < length; step++) draw.pick(steps)(builder);
  if (builder.values.length === 1) steps[0](builder);
  return builder.graph();
}
