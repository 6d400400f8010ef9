/**
 * Integer graphs with seeded weights: timing needs shapes, not training. Scales are such that codes are used: every value
 * carries an estimate of its root mean square, and every post stage brings it to `USED`.
 */
import {
  type Attr,
  attrs,
  elementCount,
  type Graph,
  makeGraph,
  type Node,
  type State,
  type Tensor,
  type Type,
} from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { makeTensor } from "../../src/ir/tensor.ts";

/** A value under construction. */
export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
  /** Of its codes, as estimated. */
  readonly rms: number;
}

/** The root mean square that post stages aim at: 2.7 of them reach the end of the codes. */
const USED = 47;
/** Of codes drawn evenly from −127 to 127. */
const EVEN = 127 / Math.sqrt(3);

export interface ConvOptions {
  readonly stride?: number;
  readonly pad?: number;
  readonly groups?: number;
  /** A riding activation that needs a table (SiLU, GELU). */
  readonly table?: boolean;
}

/** What a cache holds when the step begins: rows of earlier steps, not zeros. */
function seededCodes(seed: string, count: number): Int8Array {
  const random = seededRandom(seed);
  return Int8Array.from({ length: count }, () => Math.floor(random() * 128) - 64);
}

export class Network {
  private readonly nodes: Node[] = [];
  private readonly constants = new Map<string, Tensor>();
  private readonly types = new Map<string, Type>();
  private readonly inputs: string[] = [];
  private readonly states: State[] = [];
  /** First codes of caches, by shape. */
  private readonly full = new Map<string, Tensor>();
  private count = 0;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  input(name: string, shape: readonly number[]): Value {
    this.inputs.push(name);
    this.types.set(name, { dtype: "int8", shape });
    return { name, shape, rms: EVEN };
  }

  /** Where something is: one number a batch. */
  index(name: string, shape: readonly number[]): string {
    this.inputs.push(name);
    this.types.set(name, { dtype: "int32", shape });
    return name;
  }

  /** Learned codes. */
  learned(shape: readonly number[]): Value {
    return { name: this.constant("l", this.bytes(shape)), shape, rms: EVEN };
  }

  private constant(hint: string, tensor: Tensor): string {
    const name = `${hint}${this.count++}`;
    this.constants.set(name, tensor);
    return name;
  }

  /** Seeded codes that are made when they are asked for: a schedule needs their number only. */
  private bytes(shape: readonly number[]): Tensor {
    const seed = `${this.name} ${this.count}`;
    const byteLength = elementCount(shape);
    const read = () => {
      const random = seededRandom(seed);
      const codes = new Uint8Array(byteLength);
      for (let at = 0; at < byteLength; at++) codes[at] = Math.floor(random() * 255) - 127;
      return codes;
    };
    return { dtype: "int8", shape, data: { lazy: true, byteLength, read } };
  }

  /** Multiplier (of 31 bits, or 15 where accumulators are wide) and shift that say `factor`, the same for so many channels. */
  private scale(channels: number, factor: number, bits: 31 | 15 = 31): string[] {
    const exponent = bits - Math.ceil(Math.log2(factor));
    const multiplier = Math.min(2 ** bits - 1, Math.round(factor * 2 ** exponent));
    return [
      this.constant("m", makeTensor("int32", [channels], new Int32Array(channels).fill(multiplier))),
      this.constant("s", makeTensor("int32", [channels], new Int32Array(channels).fill(exponent))),
    ];
  }

  /** Constants that bring accumulators of a root mean square to that of well used codes. */
  private stage(channels: number, rms: number, table = false): string[] {
    if (!table) return this.scale(channels, USED / rms);
    // SiLU, whose slope changes over a third of the range.
    const silu = (x: number) => x / (1 + Math.exp(-x / 6000));
    const knots = Int16Array.from({ length: 513 }, (_, at) => Math.round(silu((at - 256) * 127)));
    return [
      // The table is read at 16 bits, and gives 16 bits.
      ...this.scale(channels, (USED * 256) / rms),
      this.constant("t", makeTensor("int16", [513], knots)),
      ...this.scale(1, 1 / 256),
    ];
  }

  private add(
    op: string,
    inputs: readonly string[],
    shape: readonly number[],
    given: Record<string, Attr | undefined>,
    rms = USED,
    dtype: Type["dtype"] = "int8",
  ): Value {
    const name = `${op.toLowerCase()}${this.count++}`;
    this.nodes.push({ op, domain: "npu", inputs, outputs: [name], attrs: attrs(given), origin: [name] });
    this.types.set(name, { dtype, shape });
    return { name, shape, rms };
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
    const rms = x.rms * EVEN * Math.sqrt(depth * height * width);
    const given = {
      strides: { ints: [stride, stride] },
      pads: { ints: [padY, padX, padY, padX] },
      dilations: { ints: [1, 1] },
      group: { i: groups },
    };
    const inputs = [x.name, weights, bias, ...this.stage(channels, rms, table)];
    return this.add("Conv", inputs, shape, given, table ? USED * Math.SQRT1_2 : USED);
  }

  pool(x: Value, op: "MaxPool" | "AveragePool", kernel: number, stride: number, pad: number): Value {
    const out = (size: number) => Math.floor((size + 2 * pad - kernel) / stride) + 1;
    const shape = [x.shape[0], x.shape[1], out(x.shape[2]), out(x.shape[3])];
    const constants = op === "MaxPool" ? [] : this.stage(kernel * kernel, x.rms * kernel);
    const given = {
      kernel_shape: { ints: [kernel, kernel] },
      strides: { ints: [stride, stride] },
      pads: { ints: [pad, pad, pad, pad] },
    };
    return this.add(op, [x.name, ...constants], shape, given, op === "MaxPool" ? Math.min(90, 1.6 * x.rms) : USED);
  }

  sum(a: Value, b: Value): Value {
    const fraction = 2 ** 20;
    const given = { a_multiplier: { i: fraction }, b_multiplier: { i: fraction } };
    return this.add("Add", [a.name, b.name, ...this.stage(1, Math.hypot(a.rms, b.rms) * fraction)], a.shape, given);
  }

  /** The smaller of each two codes. */
  least(a: Value, b: Value): Value {
    return this.add("Min", [a.name, b.name], a.shape, {}, a.rms);
  }

  mean(x: Value): Value {
    const shape = [x.shape[0], x.shape[1], 1, 1];
    // Neighbours resemble each other: their sum grows faster than the root of their number.
    const rms = x.rms * (x.shape[2] * x.shape[3]) ** 0.75;
    return this.add("ReduceSum", [x.name, ...this.stage(1, rms)], shape, {
      axes: { ints: [2, 3] },
      keepdims: { i: 1 },
    });
  }

  /** Against constant weights. */
  linear(x: Value, columns: number, table = false): Value {
    const depth = x.shape[x.shape.length - 1];
    const weights = this.constant("w", this.bytes([depth, columns]));
    const bias = this.constant("b", makeTensor("int32", [columns], new Int32Array(columns)));
    const shape = [...x.shape.slice(0, -1), columns];
    const inputs = [x.name, weights, bias, ...this.stage(columns, x.rms * EVEN * Math.sqrt(depth), table)];
    return this.add("MatMul", inputs, shape, {}, table ? USED * Math.SQRT1_2 : USED);
  }

  matmul(a: Value, b: Value): Value {
    const shape = [...a.shape.slice(0, -1), b.shape[b.shape.length - 1]];
    const rms = a.rms * b.rms * Math.sqrt(a.shape[a.shape.length - 1]);
    return this.add("MatMul", [a.name, b.name, "", ...this.stage(1, rms)], shape, {});
  }

  /** The mean of b's rows, weighted by those of an unnormalised softmax: divided by their sum, with 16 bits of fraction. */
  weigh(a: Value, b: Value): Value {
    const shape = [...a.shape.slice(0, -1), b.shape[b.shape.length - 1]];
    return this.add("MatMul", [a.name, b.name, "", ...this.stage(1, b.rms * 2 ** 15)], shape, { normalise: { i: 1 } });
  }

  norm(x: Value): Value {
    const size = x.shape[x.shape.length - 1];
    const gain = 1000;
    const gamma = this.constant("g", makeTensor("int16", [size], new Int16Array(size).fill(gain)));
    const beta = this.constant("e", makeTensor("int32", [size], new Int32Array(size)));
    return this.add("LayerNorm", [x.name, gamma, beta, ...this.scale(1, USED / (gain * 2 ** 12), 15)], x.shape, {
      axis: { i: -1 },
      epsilon: { i: 7 },
    });
  }

  /** Unnormalised, as the chip has it: `weigh` divides. */
  softmax(x: Value): Value {
    const table = Int32Array.from({ length: 256 }, (_, d) => Math.round(2 ** 15 * Math.exp(-d / 24)));
    const given = { axis: { i: -1 }, normalised: { i: 0 }, y_dtype: { s: "uint8" } };
    const inputs = [x.name, this.constant("t", makeTensor("int32", [256], table))];
    return this.add("Softmax", inputs, x.shape, given, EVEN, "uint8");
  }

  /** The row of a learned table that an index names: [1, 1, width]. */
  lookUp(rows: number, width: number, index: string): Value {
    const table = this.learned([rows, width]);
    return this.reshape(this.add("Gather", [table.name, index], [1, width], { axis: { i: 0 } }, EVEN), [1, 1, width]);
  }

  /** A cache that outlives the step, with a row at `index` along axis 2 replaced by `update`. */
  cached(update: Value, length: number, index: string): Value {
    const shape = update.shape.map((size, axis) => (axis === 2 ? length : size));
    const past = this.input(`cache${this.count++}`, shape);
    const key = String(shape);
    const init = this.full.get(key) ?? makeTensor("int8", shape, seededCodes(key, elementCount(shape)));
    this.full.set(key, init);
    const given = { axis: { i: 2 }, mode: { s: "linear" } };
    const present = this.add("TensorScatter", [past.name, update.name, index], shape, given, update.rms);
    this.states.push({ input: past.name, output: present.name, init });
    return present;
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.add(
      "Transpose",
      [x.name],
      perm.map((axis) => x.shape[axis]),
      { perm: { ints: perm } },
      x.rms,
    );
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.add("Reshape", [x.name], shape, { shape: { ints: shape } }, x.rms);
  }

  concat(parts: readonly Value[], axis: number): Value {
    const total = parts.reduce((sum, { shape }) => sum + shape[axis], 0);
    const shape = parts[0].shape.map((size, at) => (at === axis ? total : size));
    return this.add(
      "Concat",
      parts.map(({ name }) => name),
      shape,
      { axis: { i: axis } },
      Math.sqrt(parts.reduce((sum, part) => sum + (part.rms ** 2 * part.shape[axis]) / total, 0)),
    );
  }

  slice(x: Value, axis: number, start: number, end: number): Value {
    const shape = x.shape.map((size, at) => (at === axis ? end - start : size));
    const bounds = { starts: { ints: [start] }, ends: { ints: [end] }, axes: { ints: [axis] }, steps: { ints: [1] } };
    return this.add("Slice", [x.name], shape, bounds, x.rms);
  }

  /** Nearest neighbour, twice as high and wide. */
  upsample(x: Value): Value {
    const [n, c, h, w] = x.shape;
    const wide = [n, c, h, 2, w, 2];
    const flat = this.reshape(x, [n, c, h, 1, w, 1]);
    const spread = this.add("Expand", [flat.name], wide, { shape: { ints: wide } }, x.rms);
    return this.reshape(spread, [n, c, h * 2, w * 2]);
  }

  finish(outputs: readonly Value[]): Graph {
    return makeGraph({
      name: this.name,
      inputs: this.inputs,
      outputs: outputs.map(({ name }) => name),
      nodes: this.nodes,
      constants: this.constants,
      states: this.states,
      types: this.types,
    });
  }
}
