/** A model as it is trained: normalizations take the batch's own moments, and the running ones become values to carry along. */
import { attrs, floatAttr, freshName, type Graph, intAttr, type Node, type Tensor } from "../ir/graph.ts";
import { isFloat } from "../ir/numbers.ts";
import { valuesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";

/** A constant that every step gives a new value: `name` is what the step reads, `next` what it gives. */
export interface Statistic {
  readonly name: string;
  readonly next: string;
}

export interface TrainingGraph {
  readonly graph: Graph;
  readonly statistics: readonly Statistic[];
}

/**
 * Puts every BatchNormalization whose running mean and variance are constants into training mode. `momentum` is what the
 * running values keep a step, where the node does not say (0.9 in ONNX). Everything else stays as it is.
 */
export function trainingMode(graph: Graph, momentum?: number): TrainingGraph {
  const names = namesOf(graph);
  const statistics: Statistic[] = [];
  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== "BatchNormalization" || node.domain !== "") return node;
    const running = [node.inputs[3], node.inputs[4]];
    if (!running.every((name) => graph.constants.has(name)) || running[0] === running[1]) return node;
    const next = running.map((name, index) => {
      const named = node.outputs[index + 1] || freshName(`${name}/next`, names);
      names.add(named);
      statistics.push({ name, next: named });
      return named;
    });
    const given = intAttr(node, "training_mode", 0) === 1 ? floatAttr(node, "momentum", 0.9) : undefined;
    const kept = given ?? momentum ?? floatAttr(node, "momentum", 0.9);
    return {
      ...node,
      outputs: [node.outputs[0], ...next],
      attrs: new Map([...node.attrs, ...attrs({ training_mode: { i: 1 }, momentum: { f: kept } })]),
    };
  });
  if (statistics.length === 0) return { graph, statistics };
  return { graph: { ...graph, nodes, outputs: [...graph.outputs, ...statistics.map(({ next }) => next)] }, statistics };
}

/** Which inputs of an operator are learnt, where they are constants. Of sums and products, constants of more than one number. */
const LEARNT: ReadonlyMap<string, readonly number[]> = new Map([
  ["Conv", [1, 2]],
  ["ConvTranspose", [1, 2]],
  ["Gemm", [0, 1, 2]],
  ["MatMul", [0, 1]],
  ["Gather", [0]],
  ["BatchNormalization", [1, 2]],
  ["LayerNormalization", [1, 2]],
  ["GroupNormalization", [1, 2]],
  ["InstanceNormalization", [1, 2]],
  ["RMSNormalization", [1]],
  ["PRelu", [1]],
  ["LSTM", [1, 2, 3]],
  ["Add", [0, 1]],
  ["Sub", [0, 1]],
  ["Mul", [0, 1]],
]);
const ARITHMETIC = new Set(["Add", "Sub", "Mul"]);

/** Between a weight and its reader: what an exporter puts there to turn, cut, join or spread it. */
const MOVES = new Set([
  "Concat",
  "Expand",
  "Flatten",
  "Identity",
  "Reshape",
  "Slice",
  "Split",
  "Squeeze",
  "Tile",
  "Transpose",
  "Unsqueeze",
]);

/**
 * The constants that a training changes unless it is told otherwise: the weights, biases, scales and tables of the operators
 * that have some, in the order in which the graph reads them, also where they are transposed, cut or joined first. Masks and
 * single factors are no weights.
 */
export function parametersOf(graph: Graph): string[] {
  const found = new Set<string>();
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) {
    for (const index of LEARNT.get(node.op) ?? []) {
      for (const [name, tensor] of constantsBehind(graph, producers, node.inputs[index] ?? "")) {
        if (!isFloat(tensor.dtype) || (ARITHMETIC.has(node.op) && !isLearntTerm(tensor))) continue;
        found.add(name);
      }
    }
    if (MOVES.has(node.op)) for (const name of node.outputs) producers.set(name, node);
  }
  return [...found];
}

/** The constants that a value is made of by moving alone. */
function constantsBehind(graph: Graph, moved: ReadonlyMap<string, Node>, value: string): [string, Tensor][] {
  const found: [string, Tensor][] = [];
  const seen = new Set([value]);
  for (const name of seen) {
    const tensor = graph.constants.get(name);
    if (tensor !== undefined) found.push([name, tensor]);
    for (const input of moved.get(name)?.inputs ?? []) seen.add(input);
  }
  return found;
}

/**
 * Is a constant that is added or multiplied a weight? A single number is a factor of the formula, and a table of at most two
 * different numbers, or with infinities, a mask; a bias, a scale, a table of positions is none of these.
 */
function isLearntTerm(tensor: Tensor): boolean {
  const long = tensor.shape.filter((size) => size > 1).length;
  if (long < 2) return long === 1;
  const values = valuesOf(tensor) as Float32Array;
  const different = new Set<number>();
  for (const value of values) {
    if (!Number.isFinite(value)) return false;
    different.add(value);
    if (different.size > 2) return values.every(Number.isFinite);
  }
  return false;
}
