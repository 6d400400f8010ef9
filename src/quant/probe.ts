import { dequantize } from "../ir/codes.ts";
import {
  attrs,
  type DType,
  elementCount,
  freshName,
  type Graph,
  isStatic,
  type Node,
  type Type,
  typeOf,
} from "../ir/graph.ts";
import { makeTensor } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { encodeModel } from "../onnx/write.ts";

/** A value whose channels are wanted one by one; with `grid`, as they come back from its codes. */
export interface ChannelRequest {
  readonly value: string;
  readonly axis: number;
  readonly grid?: Grid;
  /** What is averaged: x itself, or |x|⁸, whose eighth root is close to the largest magnitude. */
  readonly moment: 1 | 8;
}

/** Codes of a type, each worth `scale`, with `zero` standing for 0. */
export interface Grid {
  readonly dtype: "int8" | "int16" | "uint8";
  readonly scale: number;
  readonly zero: number;
}

/** What calibration is to look at. */
export interface Wanted {
  /** Values whose histograms are wanted. */
  readonly values: readonly string[];
  /** Values of which the least and the largest number are enough. */
  readonly extremes: readonly string[];
  /** Values whose channels are wanted one by one. */
  readonly channels: readonly ChannelRequest[];
}

/**
 * How a value is looked at: `whole`, as it comes out of the runtime; or `sampled`, where the runtime itself finds its extremes
 * and takes every `step`-th of its numbers. `at` is the place in the summary: least, largest, then `count` numbers, of which
 * there are none where extremes are enough.
 */
export type ValueProbe =
  | { readonly kind: "whole"; readonly value: string }
  | {
      readonly kind: "sampled";
      readonly at: number;
      readonly count: number;
      readonly step: number;
      /** Place of the sum of all numbers, for values that may hold NaN where nothing before them does. */
      readonly sum?: number;
    };

/** Places in the summary of one request's sums, and of the largest magnitudes that eighth powers are relative to. */
export interface ChannelProbe {
  readonly sums: number;
  readonly largest?: number;
  readonly channels: number;
  /** Numbers that go into each sum. */
  readonly size: number;
  /** The sum is so many times what was summed up, plus the offset. */
  readonly unit: number;
  readonly offset: number;
}

/** What is read from one run of the probed graph. */
export interface Probes {
  /** Output that holds all numbers of a size known beforehand, one after the other; absent where there are none. */
  readonly summary?: string;
  /** Input: the place of the first number that `sampled` probes take, modulo their step. */
  readonly shift?: string;
  /** Of the values, then of those with extremes alone. */
  readonly values: readonly ValueProbe[];
  /** Undefined where the shape is only known at run time. */
  readonly channels: readonly (ChannelProbe | undefined)[];
}

/**
 * Numbers of a value that all samples together add to its histogram, about; those of larger activations are taken at equal
 * distances. So calibration does not cost more for larger activations, or for each of more samples. Extremes are those of all
 * numbers.
 */
const ENOUGH = 2 ** 20;
/** A sample's share of them at least and at most. */
const [FEWEST, MOST] = [512, 2 ** 14];

/**
 * The float graph with probes, as a model for ONNX Runtime. Activations stay in it: to copy them all out and to look at
 * them takes many times longer than to compute them. `samples`: how many will be run.
 */
export function probedModel(
  graph: Graph,
  { values, extremes, channels }: Wanted,
  samples: number,
): { readonly model: Uint8Array; readonly probes: Probes } {
  const writer = openWriter(graph);
  const most = Math.min(MOST, Math.max(FEWEST, Math.ceil(ENOUGH / Math.max(1, samples))));
  const doubtful = maybeNaN(graph, new Set([...values, ...extremes]));
  const probes = [
    ...values.map((value) => probeValue(writer, value, most, doubtful.has(value))),
    ...extremes.map((value) => probeValue(writer, value, 0, doubtful.has(value))),
  ];
  const sums = channels.map((request) => probeChannels(writer, request));
  const inputs = new Set(graph.inputs);
  const whole = probes.flatMap((probe) => (probe.kind === "whole" && !inputs.has(probe.value) ? [probe.value] : []));
  const summary = writer.close();
  const outputs = [...new Set([...whole, ...graph.states.map((state) => state.output), ...(summary ? [summary] : [])])];
  const probed = writer.graph();
  // ONNX has no integer factors a block: such weights go in as the reals that they stand for.
  const constants = new Map(
    [...probed.constants].map(([name, tensor]) => [name, tensor.quant?.multipliers ? dequantize(tensor) : tensor]),
  );
  const model = encodeModel({ ...probed, constants, outputs, states: [], metadata: new Map(), extra: undefined });
  const shift = writer.shift();
  return { model, probes: { values: probes, channels: sums, ...(summary && { summary }), ...(shift && { shift }) } };
}

const MADE = {
  int64: (list: readonly number[]) => BigInt64Array.from(list, BigInt),
  float32: (list: readonly number[]) => Float32Array.from(list),
  int8: (list: readonly number[]) => Int8Array.from(list),
  int16: (list: readonly number[]) => Int16Array.from(list),
  uint8: (list: readonly number[]) => Uint8Array.from(list),
};

/** Of finite numbers these make numbers, or infinite ones: no NaN. */
const NEVER_NAN = new Set([
  ...["Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh"],
  ...["HardSigmoid", "HardSwish", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Reshape", "Transpose"],
  ...["Slice", "Split", "Squeeze", "Unsqueeze", "Flatten", "Identity", "ReduceMean", "Softmax", "Erf", "Max", "Min"],
]);

/**
 * The observed values that must be looked through for NaN: inputs, and all but what such operators make of values that were
 * looked through. Infinite numbers show in the extremes.
 */
function maybeNaN(graph: Graph, observed: ReadonlySet<string>): ReadonlySet<string> {
  const states = new Set(graph.states.map(({ input }) => input));
  const sure = new Set(graph.inputs.filter((name) => observed.has(name) || states.has(name)));
  const doubtful = new Set(sure);
  for (const node of graph.nodes) {
    const inherits = node.inputs.every((name) => name === "" || graph.constants.has(name) || sure.has(name));
    const never = node.domain === "" && NEVER_NAN.has(node.op) && inherits;
    for (const name of node.outputs) {
      if (!never && observed.has(name)) doubtful.add(name);
      if (never || observed.has(name)) sure.add(name);
    }
  }
  return doubtful;
}

type Writer = ReturnType<typeof openWriter>;

/** Adds nodes to a graph, and collects flat values that become one output. */
function openWriter(before: Graph) {
  const names = namesOf(before);
  const nodes: Node[] = [...before.nodes];
  const constants = new Map(before.constants);
  const types = new Map(before.types);
  const parts: string[] = [];
  const known = new Map<string, string>();
  let length = 0;
  let shift: string | undefined;
  const fresh = (hint: string): string => {
    const name = freshName(hint, names);
    names.add(name);
    return name;
  };
  const constant = (
    dtype: keyof typeof MADE,
    list: readonly number[],
    shape: readonly number[] = [list.length],
  ): string => {
    const key = `${dtype} ${shape.length} ${list.join(",")}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const name = fresh("probe/constant");
    constants.set(name, makeTensor(dtype, shape, MADE[dtype](list)));
    known.set(key, name);
    return name;
  };
  const add = (
    op: string,
    inputs: readonly string[],
    type: Type,
    given: Readonly<Record<string, { readonly i: number }>> = {},
  ): string => {
    const name = fresh(`probe/${op}`);
    nodes.push({ op, domain: "", inputs, outputs: [name], attrs: attrs(given), origin: [] });
    types.set(name, type);
    return name;
  };
  const shiftInput = (): string => {
    if (shift === undefined) {
      shift = fresh("probe/shift");
      types.set(shift, { dtype: "int64", shape: [1] });
    }
    return shift;
  };
  return {
    ...{ constant, add, shiftInput },
    shift: () => shift,
    type: (name: string) => typeOf(before, name),
    graph: (): Graph => ({ ...before, nodes, constants, types, inputs: [...before.inputs, ...(shift ? [shift] : [])] }),
    /** Puts a flat float32 value of so many numbers into the summary; gives its place. */
    keep(name: string, count: number): number {
      parts.push(name);
      length += count;
      return length - count;
    },
    close: (): string | undefined =>
      parts.length === 0 ? undefined : add("Concat", parts, float([length]), { axis: { i: 0 } }),
  };
}

const float = (shape: readonly number[]): Type => ({ dtype: "float32", shape });
const int64 = (shape: readonly number[]): Type => ({ dtype: "int64", shape });
const FLOAT32 = 1;

type Sampled = Extract<ValueProbe, { kind: "sampled" }>;

function asFloat32(writer: Writer, value: string, dtype: DType, shape: readonly number[]): string {
  return dtype === "float32" ? value : writer.add("Cast", [value], float(shape), { to: { i: FLOAT32 } });
}

function probeValue(writer: Writer, value: string, most: number, doubtful: boolean): ValueProbe {
  const type = writer.type(value);
  const shape = type?.shape;
  const size = isStatic(shape) ? elementCount(shape) : 0;
  if (!type || !isStatic(shape) || size <= Math.max(most, FEWEST)) return { kind: "whole", value };
  const { add, constant, keep } = writer;
  const real = asFloat32(writer, value, type.dtype, shape);
  const flat = add("Reshape", [real, constant("int64", [-1])], float([size]));
  const of = (op: string) => add(op, [flat, constant("int64", [0])], float([1]), { keepdims: { i: 1 } });
  const at = keep(of("ReduceMin"), 1);
  keep(of("ReduceMax"), 1);
  const place = (): Pick<Sampled, "sum"> => (doubtful ? { sum: keep(of("ReduceSum"), 1) } : {});
  if (most === 0) return { kind: "sampled", at, count: 0, step: 1, ...place() };
  const step = coprime(Math.ceil(size / most), size);
  const count = Math.floor(size / step);
  const start = add("Mod", [writer.shiftInput(), constant("int64", [step])], int64([1]));
  const end = add("Add", [start, constant("int64", [(count - 1) * step + 1])], int64([1]));
  const axes = constant("int64", [0]);
  keep(add("Slice", [flat, start, end, axes, constant("int64", [step])], float([count])), count);
  return { kind: "sampled", at, count, step, ...place() };
}

/** The smallest number from `least` on without a common divisor with `size`: steps that visit every row, column and channel. */
function coprime(least: number, size: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let step = least;
  while (divisor(size, step) !== 1) step++;
  return step;
}

function probeChannels(writer: Writer, { value, axis, grid, moment }: ChannelRequest): ChannelProbe | undefined {
  const type = writer.type(value);
  const shape = type?.shape;
  if (!type || !isStatic(shape) || elementCount(shape) === 0) return undefined;
  const channels = shape[axis];
  const size = elementCount(shape) / channels;
  const { add, constant, keep } = writer;
  const axes = constant(
    "int64",
    shape.flatMap((_, index) => (index === axis ? [] : [index])),
  );
  const real = asFloat32(writer, value, type.dtype, shape);
  const over = (op: string, name: string) =>
    shape.length === 1 ? name : add(op, [name, axes], float([channels]), { keepdims: { i: 0 } });
  const plain = { channels, size, unit: 1, offset: 0 };
  if (moment === 1) {
    if (!grid) return { ...plain, sums: keep(over("ReduceSum", real), channels) };
    const { scale, zero } = grid;
    const sums = keep(over("ReduceSum", codesOf(writer, real, grid, shape)), channels);
    return { ...plain, sums, unit: scale, offset: -zero * size * scale };
  }
  // Eighth powers of numbers of 10⁵ are beyond float32: of x / max|x| they are not.
  const magnitude = add("Abs", [real], float(shape));
  const largest = over("ReduceMax", magnitude);
  const alone = shape.map((dim, index) => (index === axis ? dim : 1));
  const spread = add("Reshape", [largest, constant("int64", alone)], float(alone));
  const divisor = add("Max", [spread, constant("float32", [1e-30])], float(alone));
  let power = add("Div", [magnitude, divisor], float(shape));
  for (let times = 0; times < 3; times++) power = add("Mul", [power, power], float(shape));
  return { ...plain, sums: keep(over("ReduceSum", power), channels), largest: keep(largest, channels) };
}

/** The codes of the numbers, as numbers: rounded, and cut at the ends. */
function codesOf(
  { add, constant }: Writer,
  real: string,
  { dtype, scale, zero }: Grid,
  shape: readonly number[],
): string {
  const [step, offset] = [constant("float32", [scale], []), constant(dtype, [zero], [])];
  const codes = add("QuantizeLinear", [real, step, offset], { dtype, shape });
  return add("Cast", [codes], float(shape), { to: { i: FLOAT32 } });
}
