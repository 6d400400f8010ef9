/** Random integer graphs of several layers: every way that tensors can share, alias, split and join. */
import {
  type Attr,
  attrs,
  type DType,
  elementCount,
  type Graph,
  makeGraph,
  type Node,
  type Tensor,
} from "../../src/ir/graph.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { codes, type Draw, post } from "./cases.ts";

export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

interface Made {
  readonly graph: Graph;
  /** As many steps of feeds as asked for. */
  readonly feeds: Map<string, Tensor>[];
}

export class Builder {
  readonly draw: Draw;
  readonly values: Value[] = [];
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  private count = 0;

  constructor(draw: Draw) {
    this.draw = draw;
  }

  constant(tensor: Tensor): string {
    const name = `c${this.count++}`;
    this.constants.set(name, tensor);
    return name;
  }

  /** Adds a node; its output's type is found by inference over what is there. */
  add(op: string, inputs: readonly (string | Tensor | undefined)[], given: Record<string, Attr | undefined>): void {
    const names = inputs.map((input) =>
      input === undefined ? "" : typeof input === "string" ? input : this.constant(input),
    );
    while (names[names.length - 1] === "") names.pop();
    const output = `v${this.count++}`;
    const node: Node = {
      op,
      domain: "npu",
      inputs: names,
      outputs: [output],
      attrs: attrs(given),
      origin: [`${op}-${output}`],
    };
    const types = new Map(this.values.map(({ name, dtype, shape }) => [name, { dtype, shape }]));
    const inputsOf = this.values.map(({ name }) => name);
    const typed = inferTypes(
      makeGraph({ inputs: inputsOf, outputs: [output], nodes: [node], constants: this.constants, types }),
    );
    const type = typed.types.get(output);
    this.nodes.push(node);
    this.values.push({ name: output, dtype: type?.dtype ?? "int8", shape: (type?.shape ?? []) as readonly number[] });
  }

  /** One of the values that pass a test; recent ones more often, so that graphs grow deep. */
  find(test: (value: Value) => boolean): Value | undefined {
    const found = this.values.filter(test);
    if (found.length === 0) return undefined;
    return this.draw.int(0, 2) > 0 ? found[found.length - 1] : this.draw.pick(found);
  }
}

export const isActivation = ({ dtype }: Value) => dtype === "int8" || dtype === "int16";
export const isImage = (value: Value) => value.dtype === "int8" && value.shape.length === 4;

export type Step = (builder: Builder) => void;

export const STEPS: Readonly<Record<string, Step>> = {
  conv(builder) {
    const { draw } = builder;
    const x = builder.find(isImage);
    if (!x) return;
    const depthwise = draw.int(0, 3) === 0;
    const groups = depthwise ? x.shape[1] : 1;
    const outputs = depthwise ? groups : draw.int(1, 12);
    const kernel = [1, 2].map((axis) => Math.min(draw.pick([1, 3]), x.shape[1 + axis]));
    const inputs = x.shape[1] / groups;
    const stage = post(draw, outputs, 2 ** 13 * Math.sqrt(inputs * kernel[0] * kernel[1]), { variant: "tosa-single" });
    const weights = codes(draw, "int8", [outputs, inputs, ...kernel], -127);
    const stride = draw.pick([1, 1, 2]);
    builder.add("Conv", [x.name, weights, codes(draw, "int32", [outputs], -9999, 9999), ...stage.inputs], {
      ...stage.attributes,
      x_zero: { i: draw.int(-128, 127) },
      strides: { ints: [stride, stride] },
      pads: { ints: [...kernel, ...kernel].map((size) => size >> 1) },
      group: { i: groups },
    });
  },
  pool(builder) {
    const { draw } = builder;
    const x = builder.find((value) => isImage(value) && value.shape[2] >= 2 && value.shape[3] >= 2);
    if (!x) return;
    const attributes = {
      kernel_shape: { ints: [2, 2] },
      strides: { ints: [2, draw.int(1, 2)] },
      ceil_mode: { i: draw.int(0, 1) },
    };
    if (draw.maybe()) builder.add("MaxPool", [x.name], attributes);
    else {
      const stage = post(draw, 4, 2 ** 10, { table: false, variant: "tosa-single" });
      const padding = { pads: { ints: [1, 0, 0, 1] }, count_include_pad: { i: draw.int(0, 1) } };
      builder.add("AveragePool", [x.name, ...stage.inputs.slice(0, 2)], {
        ...stage.attributes,
        ...attributes,
        ...padding,
      });
    }
  },
  eltwise(builder) {
    const { draw } = builder;
    const a = builder.find(isActivation);
    const b = a && builder.find((value) => isActivation(value) && String(value.shape) === String(a.shape));
    if (!a || !b) return;
    const stage = post(draw, 1, 2 ** 27, { variant: "tosa-single" });
    const narrow = a.dtype === "int8" && b.dtype === "int8";
    const factor = () => ({ i: draw.int(1, narrow ? 2 ** 20 : 2 ** 13) * draw.pick([1, -1]) });
    if (draw.maybe()) {
      builder.add("Add", [a.name, b.name, ...stage.inputs], {
        ...stage.attributes,
        a_multiplier: factor(),
        b_multiplier: factor(),
      });
    } else if (narrow) builder.add("Mul", [a.name, b.name, ...stage.inputs], { ...stage.attributes, b_zero: { i: 3 } });
    else if (a.dtype === b.dtype) builder.add(draw.pick(["Max", "Min"]), [a.name, b.name], {});
  },
  scaled(builder) {
    const { draw } = builder;
    const x = builder.find((value) => isImage(value));
    if (!x) return;
    const stage = post(draw, 1, 2 ** 14, { variant: "tosa-double" });
    builder.add("Mul", [x.name, codes(draw, "int8", [x.shape[1], 1, 1]), ...stage.inputs], stage.attributes);
  },
  table(builder) {
    const { draw } = builder;
    const x = builder.find(({ dtype }) => dtype === "int8");
    if (x) builder.add("Table", [x.name, codes(draw, draw.pick(["int8", "int16"] as const), [256])], {});
  },
  matmul(builder) {
    const { draw } = builder;
    const x = builder.find(({ dtype, shape }) => dtype === "int8" && shape.length >= 2);
    if (!x) return;
    const depth = x.shape[x.shape.length - 1];
    const columns = draw.int(1, 20);
    const stage = post(draw, columns, 2 ** 13 * Math.sqrt(depth), { variant: "tosa-single" });
    const weights = codes(draw, "int8", [depth, columns], -127);
    builder.add("MatMul", [x.name, weights, codes(draw, "int32", [columns], -9999, 9999), ...stage.inputs], {
      ...stage.attributes,
      a_zero: { i: draw.int(-128, 127) },
    });
  },
  attention(builder) {
    const { draw } = builder;
    const x = builder.find(({ dtype, shape }) => dtype === "int8" && shape.length === 3 && shape[1] > 1);
    if (!x) return;
    const power = Int32Array.from({ length: 256 }, (_, d) => Math.round(2 ** 15 * Math.exp(-d / 20)));
    const stage = post(draw, 1, 2 ** 15, { variant: "tosa-single", table: false });
    builder.add("Transpose", [x.name], { perm: { ints: [0, 2, 1] } });
    const turned = builder.values[builder.values.length - 1].name;
    builder.add("MatMul", [x.name, turned, undefined, ...stage.inputs], stage.attributes);
    const scores = builder.values[builder.values.length - 1];
    if (scores.dtype !== "int8") return;
    builder.add("Softmax", [scores.name, makeTensor("int32", [256], power)], { axis: { i: -1 }, normalised: { i: 0 } });
    const weights = builder.values[builder.values.length - 1].name;
    const last = post(draw, 1, 2 ** 22, { variant: "tosa-single" });
    builder.add("MatMul", [weights, x.name, undefined, ...last.inputs], { ...last.attributes, normalise: { i: 1 } });
  },
  norm(builder) {
    const { draw } = builder;
    const x = builder.find((value) => isActivation(value) && value.shape.length >= 1);
    if (!x) return;
    const size = x.shape[x.shape.length - 1];
    const stage = post(draw, 1, 2 ** 28, { table: false, variant: "wide" });
    const weights = [codes(draw, "int16", [size]), codes(draw, "int32", [size], -(2 ** 28), 2 ** 28)];
    builder.add("LayerNorm", [x.name, ...weights, ...stage.inputs.slice(0, 2)], {
      ...stage.attributes,
      center: { i: draw.int(0, 1) },
      epsilon: { i: 100 },
    });
  },
  reduce(builder) {
    const { draw } = builder;
    const x = builder.find((value) => value.dtype === "int8" && value.shape.length >= 2);
    if (!x) return;
    const axis = draw.int(0, x.shape.length - 1);
    const stage = post(draw, 1, 2 ** 10, { variant: "tosa-single" });
    builder.add("ReduceSum", [x.name, ...stage.inputs], {
      ...stage.attributes,
      axes: { ints: [axis] },
      keepdims: { i: draw.int(0, 1) },
    });
  },
  length(builder) {
    const { draw } = builder;
    const x = builder.find((value) => isActivation(value) && value.shape.length >= 2);
    if (!x) return;
    const fitting = x.shape.map((_, axis) => axis).filter((axis) => x.dtype === "int8" || x.shape[axis] <= 3);
    if (fitting.length === 0) return;
    const axis = draw.pick(fitting);
    const stage = post(draw, 1, x.dtype === "int8" ? 2 ** 19 : 2 ** 25, { table: false, variant: "wide" });
    builder.add("ReduceL2", [x.name, ...stage.inputs.slice(0, 2)], {
      ...stage.attributes,
      axes: { ints: [axis] },
      keepdims: { i: draw.int(0, 1) },
    });
  },
  margin(builder) {
    const { draw } = builder;
    const x = builder.find((value) => isActivation(value) && value.shape.some((size) => size > 1));
    if (!x) return;
    const axis = draw.pick(x.shape.flatMap((size, at) => (size > 1 ? [at] : [])));
    const [keepdims, ctc] = [{ i: draw.int(0, 1) }, { i: draw.int(0, 1) }];
    builder.add("ReduceMargin", [x.name], { axes: { ints: [axis] }, keepdims, ctc });
  },
  reshape(builder) {
    const { draw } = builder;
    const x = builder.find(({ shape }) => shape.length >= 2);
    if (!x) return;
    const { shape } = x;
    const total = elementCount(shape);
    const rows = [1, 2, 3, 4, 6].filter((size) => total % size === 0);
    const row = draw.pick(rows);
    builder.add("Reshape", [x.name], {
      shape: {
        ints: draw.pick([
          [row, total / row],
          [1, row, total / row],
          [1, row, 1, total / row],
          [1, ...shape],
          [shape[0], total / shape[0]],
        ]),
      },
    });
  },
  transpose(builder) {
    const { draw } = builder;
    const x = builder.find(({ shape }) => shape.length >= 2);
    if (!x) return;
    const perm = [...x.shape.keys()];
    for (let at = perm.length - 1; at > 0; at--) {
      const other = draw.int(0, at);
      [perm[at], perm[other]] = [perm[other], perm[at]];
    }
    builder.add("Transpose", [x.name], { perm: { ints: perm } });
  },
  slice(builder) {
    const { draw } = builder;
    const x = builder.find(({ shape }) => shape.some((size) => size > 1));
    if (!x) return;
    const axis = draw.pick([...x.shape.keys()].filter((at) => x.shape[at] > 1));
    const start = draw.int(0, x.shape[axis] - 2);
    const attribute = (value: number) => ({ ints: [value] });
    builder.add("Slice", [x.name], {
      axes: attribute(axis),
      starts: attribute(start),
      ends: attribute(draw.int(start + 1, x.shape[axis])),
      steps: attribute(draw.pick([1, 1, 1, 2])),
    });
  },
  concat(builder) {
    const { draw } = builder;
    const x = builder.find(({ shape }) => shape.length >= 1);
    if (!x) return;
    const axis = draw.int(0, x.shape.length - 1);
    const fits = (value: Value) =>
      value.dtype === x.dtype &&
      value.shape.length === x.shape.length &&
      value.shape.every((size, at) => at === axis || size === x.shape[at]);
    const parts = builder.values.filter(fits).slice(-3);
    builder.add("Concat", [...parts.map(({ name }) => name), ...(draw.int(0, 3) === 0 ? [x.name] : [])], {
      axis: { i: axis },
    });
  },
  pad(builder) {
    const { draw } = builder;
    const x = builder.find(isImage);
    if (!x) return;
    const [, , height, width] = x.shape;
    builder.add("Pad", [x.name], {
      pads: { ints: [0, 0, 1, Math.min(2, width - 1), 0, 0, Math.min(1, height - 1), 1] },
      mode: { s: draw.pick(["constant", "edge", "reflect"]) },
      value: { i: -7 },
    });
  },
  gather(builder) {
    const { draw } = builder;
    const x = builder.find(({ shape }) => shape.length >= 1);
    if (!x) return;
    const axis = draw.int(0, x.shape.length - 1);
    builder.add("Gather", [x.name, codes(draw, "int32", [3], -x.shape[axis], x.shape[axis])], { axis: { i: axis } });
  },
  expand(builder) {
    const x = builder.find(({ shape }) => shape.includes(1) && elementCount(shape) < 500);
    if (x) builder.add("Expand", [x.name], { shape: { ints: x.shape.map((size) => (size === 1 ? 2 : size)) } });
  },
};

const MAX_ELEMENTS = 6000;

/** An image, and now and then a sequence. */
function usualInputs(draw: Draw): Value[] {
  const image: Value = {
    name: "x",
    dtype: "int8",
    shape: [1, draw.int(1, 8), draw.int(2, 14), draw.int(2, 18)],
  };
  if (!draw.maybe()) return [image];
  return [image, { name: "z", dtype: "int8", shape: [1, draw.int(2, 9), draw.int(2, 16)] }];
}

/** `length` steps at most; values that nobody reads are outputs, and now and then others too. */
export function randomGraph(
  draw: Draw,
  length: number,
  steps = 1,
  { inputsOf = usualInputs, grow = STEPS }: { inputsOf?: (draw: Draw) => Value[]; grow?: typeof STEPS } = {},
): Made {
  const builder = new Builder(draw);
  builder.values.push(...inputsOf(draw));
  const inputs = builder.values.map(({ name }) => name);
  const names = Object.keys(grow);
  for (let step = 0; step < length; step++) {
    const before = builder.values.length;
    grow[draw.pick(names)](builder);
    const grown = builder.values.slice(before);
    if (grown.some(({ shape }) => elementCount(shape) > MAX_ELEMENTS || shape.length > 6)) {
      // Too large to be quick: forget it.
      builder.values.length = before;
      builder.nodes.length =
        builder.nodes.findLastIndex(({ outputs }) => builder.values.some(({ name }) => name === outputs[0])) + 1;
    }
  }
  const read = new Set(builder.nodes.flatMap((node) => node.inputs));
  const outputs = builder.values
    .filter(({ name }) => !inputs.includes(name) && (!read.has(name) || draw.int(0, 9) === 0))
    .map(({ name }) => name);
  const types = new Map(builder.values.map(({ name, dtype, shape }) => [name, { dtype, shape }]));
  const used = new Map([...builder.constants].filter(([name]) => read.has(name)));
  const made = outputs.length > 0 ? outputs : inputs;
  const states = statesOf(draw, builder, inputs, made);
  const graph = inferTypes(makeGraph({ inputs, outputs: made, nodes: builder.nodes, constants: used, types, states }));
  const fed = new Set(states.map(({ input }) => input));
  const feeds = Array.from({ length: steps }, () => {
    const given = builder.values.filter(({ name }) => inputs.includes(name) && !fed.has(name));
    return new Map(given.map(({ name, dtype, shape }) => [name, codes(draw, dtype, shape)]));
  });
  return { graph, feeds };
}

/** An output of an input's type may be what that input is in the next step. */
function statesOf(draw: Draw, builder: Builder, inputs: readonly string[], outputs: readonly string[]) {
  const typed = new Map(builder.values.map((value) => [value.name, value]));
  const states: { input: string; output: string; init: Tensor }[] = [];
  for (const input of inputs) {
    const own = typed.get(input) as Value;
    const fits = outputs.find((name) => {
      const value = typed.get(name) as Value;
      return (
        value.dtype === own.dtype &&
        String(value.shape) === String(own.shape) &&
        !states.some(({ output }) => output === name)
      );
    });
    if (fits) states.push({ input, output: fits, init: codes(draw, own.dtype, own.shape) });
  }
  return states;
}
