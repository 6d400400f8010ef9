/** Integer graphs with seeded weights: timing needs shapes, not training. */
import {
  type Attr,
  attrs,
  elementCount,
  type Graph,
  makeGraph,
  type Node,
  type Tensor,
  type Type,
} from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { makeTensor } from "../../src/ir/tensor.ts";

/** A value under construction. */
export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface ConvOptions {
  readonly stride?: number;
  readonly pad?: number;
  readonly groups?: number;
  /** A riding activation that needs a table (SiLU, GELU). */
  readonly table?: boolean;
}

export class Network {
  private readonly nodes: Node[] = [];
  private readonly constants = new Map<string, Tensor>();
  private readonly types = new Map<string, Type>();
  private readonly inputs: string[] = [];
  private readonly random: () => number;
  private count = 0;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
    this.random = seededRandom(name);
  }

  input(name: string, shape: readonly number[]): Value {
    this.inputs.push(name);
    this.types.set(name, { dtype: "int8", shape });
    return { name, shape };
  }

  private constant(hint: string, tensor: Tensor): string {
    const name = `${hint}${this.count++}`;
    this.constants.set(name, tensor);
    return name;
  }

  private bytes(shape: readonly number[]): Tensor {
    const data = new Int8Array(elementCount(shape));
    for (let index = 0; index < data.length; index++) data[index] = Math.floor(this.random() * 255) - 127;
    return makeTensor("int8", shape, data);
  }

  /** Constants that bring accumulators of `depth` products into the codes' range. */
  private stage(channels: number, depth: number, table = false): string[] {
    const shift = 31 + Math.max(2, Math.round(Math.log2((73 * 73 * Math.sqrt(depth)) / 48)));
    const multiplier = makeTensor("int32", [channels], new Int32Array(channels).fill(2 ** 31 - 1));
    const shifts = makeTensor(
      "int32",
      [channels],
      new Int32Array(channels).fill(Math.min(62, table ? shift - 8 : shift)),
    );
    const names = [this.constant("m", multiplier), this.constant("s", shifts)];
    if (!table) return names;
    const knots = Int16Array.from({ length: 513 }, (_, at) => Math.max(0, (at - 256) * 127));
    return [
      ...names,
      this.constant("t", makeTensor("int16", [513], knots)),
      this.constant("m", makeTensor("int32", [1], Int32Array.of(2 ** 30))),
      this.constant("s", makeTensor("int32", [1], Int32Array.of(38))),
    ];
  }

  private add(
    op: string,
    inputs: readonly string[],
    shape: readonly number[],
    given: Record<string, Attr | undefined>,
  ): Value {
    const name = `${op.toLowerCase()}${this.count++}`;
    this.nodes.push({ op, domain: "npu", inputs, outputs: [name], attrs: attrs(given), origin: [name] });
    this.types.set(name, { dtype: "int8", shape });
    return { name, shape };
  }

  conv(x: Value, channels: number, kernel: number | readonly [number, number], options: ConvOptions = {}): Value {
    const { stride = 1, groups = 1, table = false } = options;
    const [height, width] = typeof kernel === "number" ? [kernel, kernel] : kernel;
    const [padY, padX] = options.pad === undefined ? [height >> 1, width >> 1] : [options.pad, options.pad];
    const depth = x.shape[1] / groups;
    const weights = this.constant("w", this.bytes([channels, depth, height, width]));
    const bias = this.constant("b", makeTensor("int32", [channels], new Int32Array(channels)));
    const out = (size: number, k: number, pad: number) => Math.floor((size + 2 * pad - k) / stride) + 1;
    const shape = [x.shape[0], channels, out(x.shape[2], height, padY), out(x.shape[3], width, padX)];
    return this.add("Conv", [x.name, weights, bias, ...this.stage(channels, depth * height * width, table)], shape, {
      strides: { ints: [stride, stride] },
      pads: { ints: [padY, padX, padY, padX] },
      dilations: { ints: [1, 1] },
      group: { i: groups },
    });
  }

  pool(x: Value, op: "MaxPool" | "AveragePool", kernel: number, stride: number, pad: number): Value {
    const out = (size: number) => Math.floor((size + 2 * pad - kernel) / stride) + 1;
    const shape = [x.shape[0], x.shape[1], out(x.shape[2]), out(x.shape[3])];
    const constants = op === "MaxPool" ? [] : this.stage(kernel * kernel, 1);
    return this.add(op, [x.name, ...constants], shape, {
      kernel_shape: { ints: [kernel, kernel] },
      strides: { ints: [stride, stride] },
      pads: { ints: [pad, pad, pad, pad] },
    });
  }

  sum(a: Value, b: Value): Value {
    return this.add("Add", [a.name, b.name, ...this.stage(1, 1).slice(0, 2)], a.shape, {
      a_multiplier: { i: 2 ** 20 },
      b_multiplier: { i: 2 ** 20 },
    });
  }

  mean(x: Value): Value {
    const shape = [x.shape[0], x.shape[1], 1, 1];
    return this.add("ReduceSum", [x.name, ...this.stage(1, 4)], shape, { axes: { ints: [2, 3] }, keepdims: { i: 1 } });
  }

  /** Against constant weights. */
  linear(x: Value, columns: number, table = false): Value {
    const depth = x.shape[x.shape.length - 1];
    const weights = this.constant("w", this.bytes([depth, columns]));
    const bias = this.constant("b", makeTensor("int32", [columns], new Int32Array(columns)));
    const shape = [...x.shape.slice(0, -1), columns];
    return this.add("MatMul", [x.name, weights, bias, ...this.stage(columns, depth, table)], shape, {});
  }

  matmul(a: Value, b: Value): Value {
    const shape = [...a.shape.slice(0, -1), b.shape[b.shape.length - 1]];
    return this.add("MatMul", [a.name, b.name, "", ...this.stage(1, a.shape[a.shape.length - 1])], shape, {});
  }

  norm(x: Value): Value {
    const size = x.shape[x.shape.length - 1];
    const gamma = this.constant("g", makeTensor("int16", [size], new Int16Array(size).fill(1000)));
    const beta = this.constant("e", makeTensor("int32", [size], new Int32Array(size)));
    const multiplier = this.constant("m", makeTensor("int32", [1], Int32Array.of(2 ** 14)));
    const shift = this.constant("s", makeTensor("int32", [1], Int32Array.of(30)));
    return this.add("LayerNorm", [x.name, gamma, beta, multiplier, shift], x.shape, {
      axis: { i: -1 },
      epsilon: { i: 7 },
    });
  }

  softmax(x: Value): Value {
    const table = Int32Array.from({ length: 256 }, (_, d) => Math.round(2 ** 15 * Math.exp(-d / 16)));
    return this.add("Softmax", [x.name, this.constant("t", makeTensor("int32", [256], table))], x.shape, {
      axis: { i: -1 },
    });
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.add(
      "Transpose",
      [x.name],
      perm.map((axis) => x.shape[axis]),
      { perm: { ints: perm } },
    );
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.add("Reshape", [x.name], shape, { shape: { ints: shape } });
  }

  concat(parts: readonly Value[], axis: number): Value {
    const total = parts.reduce((sum, { shape }) => sum + shape[axis], 0);
    const shape = parts[0].shape.map((size, at) => (at === axis ? total : size));
    return this.add(
      "Concat",
      parts.map(({ name }) => name),
      shape,
      { axis: { i: axis } },
    );
  }

  slice(x: Value, axis: number, start: number, end: number): Value {
    const shape = x.shape.map((size, at) => (at === axis ? end - start : size));
    return this.add("Slice", [x.name], shape, {
      starts: { ints: [start] },
      ends: { ints: [end] },
      axes: { ints: [axis] },
      steps: { ints: [1] },
    });
  }

  /** Nearest neighbour, twice as high and wide. */
  upsample(x: Value): Value {
    const [n, c, h, w] = x.shape;
    const spread = this.add("Expand", [this.reshape(x, [n, c, h, 1, w, 1]).name], [n, c, h, 2, w, 2], {
      shape: { ints: [n, c, h, 2, w, 2] },
    });
    return this.reshape(spread, [n, c, h * 2, w * 2]);
  }

  finish(outputs: readonly Value[]): Graph {
    return makeGraph({
      name: this.name,
      inputs: this.inputs,
      outputs: outputs.map(({ name }) => name),
      nodes: this.nodes,
      constants: this.constants,
      types: this.types,
    });
  }
}
