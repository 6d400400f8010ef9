/**
 * What no schedule can beat under a target's description: the busiest of array, vector unit and DRAM if each worked without
 * a pause, weights cold. Computed from the graph alone.
 */
import { type Graph, intAttr, intsAttr, isStatic, type Node, typeOf } from "../ir/graph.ts";
import type { CommandBody, Operand, Post } from "../schedule/program.ts";
import { STORAGE_BYTES, type Storage } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { convMappings, countOf, dramBytesPerCycle, engineCycles, macsOf } from "./cycles.ts";

export interface Bound {
  /** The larger of MACs / array MACs and compulsory bytes / sustained bandwidth. */
  readonly rooflineCycles: number;
  /** The same with every layer at its best legal mapping, and the vector unit's work. */
  readonly boundCycles: number;
  readonly arrayCycles: number;
  readonly vectorCycles: number;
  readonly dramCycles: number;
  /** Weights, inputs, outputs and states, each once. */
  readonly compulsoryBytes: number;
  readonly macs: number;
}

function operand(graph: Graph, name: string): Operand | undefined {
  const type = typeOf(graph, name);
  if (type === undefined || !isStatic(type.shape)) return undefined;
  const { shape } = type;
  const strides = shape.map((_, axis) => countOf(shape.slice(axis + 1)));
  return { space: "sram", address: 0, dtype: type.dtype as Storage, shape, strides };
}

/** Two spatial axes, a single one behind a row of one. */
function withRows(given: Operand): Operand {
  if (given.shape.length !== 3) return given;
  const [batch, channels, length] = given.shape;
  const [first, second, last] = given.strides;
  return { ...given, shape: [batch, channels, 1, length], strides: [first, second, 0, last] };
}

function pair(node: Node, name: string): [number, number] {
  const given = intsAttr(node, name) ?? [];
  return given.length === 1 ? [1, given[0]] : [given[0] ?? 1, given[1] ?? 1];
}

/** A post stage of which only the presence of a table matters. */
function postOf(table: Operand | undefined, constant: Operand): Post {
  return {
    multiplier: constant,
    shift: constant,
    ...(table ? { table: { knots: table, multiplier: constant, shift: constant } } : {}),
    round: "tosa-single",
    wide: false,
    yZero: 0,
    yMin: 0,
    yMax: 0,
  };
}

/** The whole layer as one command without addresses; undefined for what moves no data that must move. */
function layerOf(node: Node, graph: Graph): CommandBody | undefined {
  const inputs = node.inputs.map((name) => (name === "" ? undefined : operand(graph, name)));
  const y = operand(graph, node.outputs[0]);
  const x = inputs[0];
  if (!x || !y) return undefined;
  const post = (index: number) => postOf(inputs[index], x);
  const zeros = { aZero: 0, bZero: 0 } as const;
  switch (node.op) {
    case "Conv":
    case "ConvTranspose": {
      const w = inputs[1];
      if (!w) return undefined;
      const common = { x: withRows(x), w: withRows(w), y: withRows(y), xZero: 0, post: post(5) };
      const window = {
        strides: pair(node, "strides"),
        dilations: pair(node, "dilations"),
        groups: intAttr(node, "group", 1),
      };
      return node.op === "Conv"
        ? { kind: "conv", engine: "array", ...common, ...window, pads: [0, 0, 0, 0], mapping: "dense", block: 1 }
        : { kind: "deconv", engine: "array", ...common, ...window, pads: [0, 0] };
    }
    case "MatMul":
      return inputs[1] && matMulOf(x, inputs[1], y, intAttr(node, "normalise", 0) === 1, post(5));
    case "Add":
    case "Mul":
    case "Max":
    case "Min": {
      const operation = node.op.toLowerCase() as "add" | "mul" | "max" | "min";
      const table = inputs[4] ? { post: post(4) } : {};
      return {
        kind: "eltwise",
        engine: "vector",
        operation,
        a: y,
        b: y,
        y,
        ...zeros,
        aMultiplier: 1,
        bMultiplier: 1,
        ...table,
      };
    }
    case "Rescale":
      return { kind: "scale", engine: "vector", x, y, xZero: 0, post: post(3) };
    case "Table":
      return { kind: "table", engine: "vector", x, table: x, y };
    case "MaxPool":
    case "AveragePool": {
      const sizes = {
        kernel: pair(node, "kernel_shape"),
        strides: pair(node, "strides"),
        dilations: pair(node, "dilations"),
      };
      return {
        kind: "pool",
        engine: "vector",
        operation: "max",
        x: withRows(x),
        y: withRows(y),
        xZero: 0,
        ...sizes,
        pads: [0, 0, 0, 0],
        countIncludePad: false,
      };
    }
    case "ReduceSum":
    case "ReduceL2":
    case "ReduceMax":
    case "ReduceMin":
      return {
        kind: "reduce",
        engine: "vector",
        operation: node.op === "ReduceL2" ? "l2" : "max",
        x,
        y,
        xZero: 0,
        ...(inputs[3] ? { post: post(3) } : {}),
      };
    case "Softmax":
      return { kind: "softmax", engine: "vector", x, table: x, y, normalised: false };
    case "LayerNorm":
      return {
        kind: "norm",
        engine: "vector",
        x,
        gamma: x,
        beta: x,
        y,
        xZero: 0,
        axes: 1,
        center: true,
        epsilon: 1,
        post: post(-1),
      };
    default:
      // Moves can vanish into addresses: a lower bound does not count them.
      return undefined;
  }
}

function matMulOf(a: Operand, b: Operand, y: Operand, normalise: boolean, post: Post): CommandBody {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const matrix = [left[left.length - 2], right[right.length - 1]];
  const batch = y.shape.slice(0, y.shape.length - (a.shape.length > 1 ? 1 : 0) - (b.shape.length > 1 ? 1 : 0));
  const rank = batch.length + 2;
  const spread = (shape: readonly number[], given: Operand): Operand => {
    const missing = rank - shape.length;
    const whole = [...batch, ...shape.slice(-2)];
    const strides = whole.map((size, axis) => (axis < missing || (shape[axis - missing] === 1 && size !== 1) ? 0 : 1));
    return { ...given, shape: whole, strides };
  };
  const shape = [...batch, ...matrix];
  const result: Operand = { ...y, shape, strides: shape.map(() => 1) };
  return {
    kind: "matmul",
    engine: "array",
    a: spread(left, a),
    b: spread(right, b),
    y: result,
    aZero: 0,
    bZero: 0,
    normalise,
    post,
  };
}

/**
 * The least that the busier of two units must do when some layers may go to either: layers are split fractionally, those
 * that the vector unit does relatively best first, until both are equally busy. No whole assignment can be better.
 */
function balance(array: number, vector: number, flexible: { array: number; vector: number }[]): number {
  const sorted = [...flexible].sort((a, b) => a.vector / a.array - b.vector / b.array);
  let [onArray, onVector] = [array + sorted.reduce((sum, layer) => sum + layer.array, 0), vector];
  for (const layer of sorted) {
    if (onArray <= onVector) break;
    const share = Math.min(1, (onArray - onVector) / (layer.array + layer.vector));
    onArray -= share * layer.array;
    onVector += share * layer.vector;
  }
  return Math.max(onArray, onVector);
}

function constantsRead(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const node of graph.nodes) for (const name of node.inputs) if (graph.constants.has(name)) names.add(name);
  return names;
}

/** A gather fetches the rows that it is asked for, not its table. */
function gatherBytes(graph: Graph): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const node of graph.nodes) {
    const y = operand(graph, node.outputs[0] ?? "");
    if (node.op !== "Gather" || !y || !graph.constants.has(node.inputs[0])) continue;
    bytes.set(node.inputs[0], (bytes.get(node.inputs[0]) ?? 0) + countOf(y.shape) * STORAGE_BYTES[y.dtype]);
  }
  return bytes;
}

function compulsoryBytes(graph: Graph): number {
  const size = (name: string) => {
    const found = operand(graph, name);
    return found ? countOf(found.shape) * (STORAGE_BYTES[found.dtype] ?? 0) : 0;
  };
  const gathered = gatherBytes(graph);
  const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  let bytes = 0;
  for (const name of constantsRead(graph))
    bytes += Math.min(size(name), gathered.get(name) ?? Number.POSITIVE_INFINITY);
  for (const name of graph.inputs) if (used.has(name)) bytes += size(name);
  for (const name of new Set([...graph.outputs, ...graph.states.map(({ output }) => output)])) bytes += size(name);
  return bytes;
}

/** The bounds of one run of the integer graph. */
export function boundOf(graph: Graph, target: Target, profile?: string): Bound {
  let [array, vector, macs] = [0, 0, 0];
  const flexible: { array: number; vector: number }[] = [];
  for (const node of graph.nodes) {
    const layer = node.domain === "npu" ? layerOf(node, graph) : undefined;
    if (!layer) continue;
    macs += macsOf(layer);
    const cycles = engineCycles(layer, target);
    if (layer.engine === "vector") vector += cycles;
    else if (layer.kind !== "conv") array += cycles;
    else {
      const mappings = convMappings(layer, target);
      const onArray = mappings
        .filter(({ mapping }) => mapping !== "vector")
        .reduce((least, one) => Math.min(least, one.cycles), Infinity);
      const onVector = mappings.find(({ mapping }) => mapping === "vector")?.cycles;
      if (onVector === undefined) array += onArray;
      else flexible.push({ array: onArray, vector: onVector });
    }
  }
  const share = target.profiles[profile ?? target.defaultProfile]?.dramShare ?? 1;
  const bytes = compulsoryBytes(graph);
  const dramCycles = bytes / dramBytesPerCycle(target, share);
  const peak = macs / (target.array.rows * target.array.columns);
  return {
    rooflineCycles: Math.ceil(Math.max(peak, dramCycles)),
    boundCycles: Math.ceil(Math.max(balance(array, vector, flexible), dramCycles)),
    arrayCycles: array,
    vectorCycles: vector,
    dramCycles: Math.ceil(dramCycles),
    compulsoryBytes: bytes,
    macs,
  };
}
