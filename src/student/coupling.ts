/** What each operator ties together: which channels of its inputs, weights and outputs are dropped with one another. */
import { type Graph, graphAttr, intAttr, intsAttr, type Node, type Tensor } from "../ir/graph.ts";
import { isFloat } from "../ir/numbers.ts";
import { numbersOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import type { Atoms } from "./atoms.ts";
import { coupleReshape } from "./reshape.ts";

export interface Coupling extends Atoms {
  constant(value: string): Tensor | undefined;
}

type Rule = (node: Node, atoms: Coupling) => void;

/**
 * Ties all atoms of the graph. An operator without a rule keeps everything that it touches; so do graph inputs, outputs and
 * states. Reshapes come last: which of several axes a merged one is cut along is the first one that may still be cut.
 */
export function coupleAll(graph: Graph, atoms: Coupling): void {
  for (const name of [...graph.inputs, ...graph.outputs]) atoms.pin(name);
  for (const { input, output } of graph.states) for (const name of [input, output]) atoms.pin(name);
  // Codes, and whole numbers that name axes, sizes and indices.
  for (const [name, { quant, dtype }] of graph.constants) if (quant || !isFloat(dtype)) atoms.pin(name);
  const later: Node[] = [];
  for (const node of graph.nodes) {
    if (RESHAPES.has(node.op) && node.domain === "") later.push(node);
    else couple(node, atoms);
  }
  for (const node of later) coupleReshape(node, atoms);
}

const RESHAPES = new Set(["Reshape", "Flatten"]);

function couple(node: Node, atoms: Coupling): void {
  const values = [...readsOf(node), ...node.outputs.filter((name) => name !== "")];
  const rule = node.domain === "" && !graphAttr(node, "body") ? RULES.get(node.op) : undefined;
  if (rule !== undefined && values.every((name) => atoms.shapeOf(name) !== undefined)) rule(node, atoms);
  else for (const name of values) atoms.pin(name);
}

const rankOf = (atoms: Coupling, value: string): number => atoms.shapeOf(value)?.length ?? 0;

/** Aligned at their last axes; what is spread along an axis has nothing to drop there. */
function elementwise({ inputs, outputs: [output] }: Node, atoms: Coupling): void {
  const rank = rankOf(atoms, output);
  for (const name of inputs) {
    if (name === "") continue;
    const shift = rank - rankOf(atoms, name);
    for (let axis = shift; axis < rank; axis++) {
      const isSpread = atoms.shapeOf(name)?.[axis - shift] === 1 && atoms.shapeOf(output)?.[axis] !== 1;
      if (!isSpread) atoms.join(name, axis - shift, output, axis);
    }
  }
}

/** Input 0 and all outputs agree in these axes and are kept as they are in the others. */
function along(axesOf: (node: Node, rank: number, atoms: Coupling) => readonly number[]): Rule {
  return (node, atoms) => {
    const [input] = node.inputs;
    const rank = rankOf(atoms, input);
    const free = new Set(axesOf(node, rank, atoms));
    for (const output of node.outputs) {
      if (output === "") continue;
      for (let axis = 0; axis < rank; axis++) {
        if (free.has(axis) && axis < rankOf(atoms, output)) atoms.join(input, axis, output, axis);
        else atoms.pin(output, axis);
      }
    }
    for (let axis = 0; axis < rank; axis++) if (!free.has(axis)) atoms.pin(input, axis);
    for (const name of node.inputs.slice(1)) if (name !== "") atoms.pin(name);
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const batchAndChannels = along(() => [0, 1]);
const allAxes = along((_, rank) => range(rank));
const butAxis = (fallback: number): Rule =>
  along((node, rank) => {
    const axis = intAttr(node, "axis", fallback);
    return range(rank).filter((each) => each !== (axis + rank) % rank);
  });

/** Channels of a group of a convolution go together, so that all groups stay the same size. */
function conv(node: Node, atoms: Coupling): void {
  const [input, weights, bias] = node.inputs;
  const [output] = node.outputs;
  const group = intAttr(node, "group", 1);
  const turned = node.op === "ConvTranspose";
  for (const value of [input, output]) for (let axis = 2; axis < rankOf(atoms, value); axis++) atoms.pin(value, axis);
  for (let axis = 2; axis < rankOf(atoms, weights); axis++) atoms.pin(weights, axis);
  atoms.join(input, 0, output, 0);
  if (bias) atoms.join(bias, 0, output, 1);
  if (group === 1) {
    atoms.join(weights, turned ? 0 : 1, input, 1);
    atoms.join(weights, turned ? 1 : 0, output, 1);
    return;
  }
  atoms.join(weights, 0, turned ? input : output, 1);
  atoms.pin(weights, 1);
  for (const value of [input, output]) {
    const each = atoms.size(value, 1) / group;
    for (let index = 0; index < atoms.size(value, 1); index++) {
      const first = Math.floor(index / each) * each;
      atoms.unite(atoms.at(value, 1, index), atoms.at(value, 1, first));
      atoms.unite(atoms.at(value, 1, first), atoms.at(output, 1, (first / each) * (atoms.size(output, 1) / group)));
    }
  }
}

/** A constant matrix: rows go with what it is given, columns with what it makes. Of two computed ones nothing is summed over. */
function product(node: Node, atoms: Coupling): void {
  const [a, b] = node.inputs;
  const [output] = node.outputs;
  const [ranks, rank] = [[rankOf(atoms, a), rankOf(atoms, b)], rankOf(atoms, output)];
  if (ranks.some((each) => each < 2)) {
    for (const name of [a, b, output]) atoms.pin(name);
    return;
  }
  const isWeight = atoms.constant(a) !== undefined || atoms.constant(b) !== undefined;
  atoms.join(a, ranks[0] - 1, b, ranks[1] - 2);
  if (!isWeight) atoms.pin(a, ranks[0] - 1);
  atoms.join(a, ranks[0] - 2, output, rank - 2);
  atoms.join(b, ranks[1] - 1, output, rank - 1);
  for (const [index, name] of [a, b].entries()) {
    for (let axis = 0; axis < ranks[index] - 2; axis++) {
      const there = rank - ranks[index] + axis;
      if (atoms.shapeOf(name)?.[axis] !== 1) atoms.join(name, axis, output, there);
    }
  }
}

function gemm(node: Node, atoms: Coupling): void {
  const [a, b, c] = node.inputs;
  const [output] = node.outputs;
  const [turnedA, turnedB] = [intAttr(node, "transA", 0), intAttr(node, "transB", 0)];
  atoms.join(a, turnedA ? 0 : 1, b, turnedB ? 1 : 0);
  if (!atoms.constant(a) && !atoms.constant(b)) atoms.pin(a, turnedA ? 0 : 1);
  atoms.join(a, turnedA ? 1 : 0, output, 0);
  atoms.join(b, turnedB ? 0 : 1, output, 1);
  if (!c) return;
  const shift = 2 - rankOf(atoms, c);
  for (let axis = 0; axis < rankOf(atoms, c); axis++) {
    if (atoms.shapeOf(c)?.[axis] !== 1) atoms.join(c, axis, output, axis + shift);
  }
}

/** Scale, shift, mean and variance go with the channels. */
function perChannel(node: Node, atoms: Coupling): void {
  const [input, ...parameters] = node.inputs;
  const [output, ...more] = node.outputs;
  for (let axis = 0; axis < rankOf(atoms, input); axis++) atoms.join(input, axis, output, axis);
  if (node.op !== "BatchNormalization") {
    for (let axis = 2; axis < rankOf(atoms, input); axis++) atoms.pin(input, axis);
  }
  for (const name of [...parameters, ...more]) if (name !== "") atoms.join(name, 0, output, 1);
}

/** Groups are dropped whole: what they are normalized by is their own. */
function groupNormalization(node: Node, atoms: Coupling): void {
  perChannel(node, atoms);
  const [input] = node.inputs;
  const each = atoms.size(input, 1) / intAttr(node, "num_groups", 1);
  for (let index = 0; index < atoms.size(input, 1); index++) {
    atoms.unite(atoms.at(input, 1, index), atoms.at(input, 1, Math.floor(index / each) * each));
  }
}

/** Over the axes from `axis` on everything counts, so that nothing may go. */
function overLast(node: Node, atoms: Coupling): void {
  const rank = rankOf(atoms, node.inputs[0]);
  const from = (intAttr(node, "axis", -1) + rank) % rank;
  along(() => range(from))(node, atoms);
}

function concat(node: Node, atoms: Coupling): void {
  const [output] = node.outputs;
  const rank = rankOf(atoms, output);
  const axis = (intAttr(node, "axis", 0) + rank) % rank;
  let offset = 0;
  for (const name of node.inputs) {
    const start = offset;
    for (let each = 0; each < rank; each++) {
      atoms.join(name, each, output, each, each === axis ? (index) => start + index : undefined);
    }
    offset += atoms.size(name, axis);
    if (atoms.size(name, axis) < 0) {
      atoms.pin(output, axis);
      return;
    }
  }
}

function split(node: Node, atoms: Coupling): void {
  const [input] = node.inputs;
  const rank = rankOf(atoms, input);
  const axis = (intAttr(node, "axis", 0) + rank) % rank;
  let offset = 0;
  for (const name of node.outputs) {
    if (name === "") {
      atoms.pin(input, axis);
      return;
    }
    const start = offset;
    for (let each = 0; each < rank; each++) {
      atoms.join(name, each, input, each, each === axis ? (index) => start + index : undefined);
    }
    offset += atoms.size(name, axis);
  }
}

function transpose(node: Node, atoms: Coupling): void {
  const [input] = node.inputs;
  const order = intsAttr(node, "perm") ?? range(rankOf(atoms, input)).reverse();
  for (const [to, from] of order.entries()) atoms.join(input, from, node.outputs[0], to);
}

/** Rows of a table, or parts of a value: the axis that is looked up in stays, all others go through. */
function gather(node: Node, atoms: Coupling): void {
  const [data, indices] = node.inputs;
  const [output] = node.outputs;
  const [rank, spread] = [rankOf(atoms, data), rankOf(atoms, indices)];
  const axis = (intAttr(node, "axis", 0) + rank) % rank;
  atoms.pin(data, axis);
  for (let each = 0; each < rank; each++) {
    if (each !== axis) atoms.join(data, each, output, each < axis ? each : each - 1 + spread);
  }
  for (let each = 0; each < spread; each++) atoms.join(indices, each, output, axis + each);
}

function axesOf(node: Node, atoms: Coupling, rank: number): number[] | undefined {
  const given = node.inputs[1] ? atoms.constant(node.inputs[1]) : undefined;
  if (node.inputs[1] && given === undefined) return undefined;
  return given && numbersOf(given).map((axis) => (axis + rank) % rank);
}

/** Axes of size 1 come or go, the others keep their order. */
function squeeze(node: Node, atoms: Coupling): void {
  const [short, long] = node.op === "Squeeze" ? [node.outputs[0], node.inputs[0]] : [node.inputs[0], node.outputs[0]];
  const rank = rankOf(atoms, long);
  const axes = axesOf(node, atoms, rank) ?? range(rank).filter((axis) => atoms.shapeOf(long)?.[axis] === 1);
  const kept = range(rank).filter((axis) => !axes.includes(axis));
  if (kept.length !== rankOf(atoms, short)) for (const name of [short, long]) atoms.pin(name);
  else for (const [at, axis] of kept.entries()) atoms.join(short, at, long, axis);
}

function reduce(node: Node, atoms: Coupling): void {
  const [input] = node.inputs;
  const [output] = node.outputs;
  const rank = rankOf(atoms, input);
  const axes = axesOf(node, atoms, rank);
  if (axes === undefined || axes.length === 0) for (const name of [input, output]) atoms.pin(name);
  const gone = new Set(axes);
  let at = 0;
  for (let axis = 0; axis < rank; axis++) {
    if (gone.has(axis)) atoms.pin(input, axis);
    else atoms.join(input, axis, output, at);
    if (!gone.has(axis) || intAttr(node, "keepdims", 1) === 1) at++;
  }
}

/** Axes of which a constant says that they are neither cut nor padded. */
function untouched(node: Node, rank: number, atoms: Coupling): number[] {
  const [, first, second, third] = node.inputs;
  const listed = (name: string | undefined): number[] | undefined => {
    const tensor = name ? atoms.constant(name) : undefined;
    return tensor && numbersOf(tensor);
  };
  if (node.op === "Slice") {
    const axes = third ? listed(third) : range(listed(first)?.length ?? rank);
    return axes ? range(rank).filter((axis) => !axes.some((each) => (each + rank) % rank === axis)) : [];
  }
  const pads = listed(first);
  const axes = third ? listed(third)?.map((axis) => (axis + rank) % rank) : range(rank);
  if (!pads || !axes || (second && !atoms.constant(second))) return [];
  return range(rank).filter((axis) => {
    const at = axes.indexOf(axis);
    return at < 0 || (pads[at] === 0 && pads[at + axes.length] === 0);
  });
}

const UNARY = [
  ...[
    "Abs",
    "Cast",
    "Ceil",
    "Celu",
    "Cos",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
  ],
  ...[
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Not",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softplus",
  ],
  ...["Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"],
];
const BINARY = [
  ...[
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Max",
    "Min",
    "Mean",
    "Sum",
    "Pow",
    "PRelu",
    "Where",
    "Equal",
    "Greater",
    "Less",
    "And",
    "Or",
  ],
];
const POOLS = ["AveragePool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "LpPool"];

const RULES: ReadonlyMap<string, Rule> = new Map([
  ...[...UNARY, ...BINARY].map((op): [string, Rule] => [op, elementwise]),
  ...POOLS.map((op): [string, Rule] => [op, batchAndChannels]),
  ["Clip", allAxes],
  ["MaxPool", batchAndChannels],
  ["Conv", conv],
  ["ConvTranspose", conv],
  ["MatMul", product],
  ["Gemm", gemm],
  ["BatchNormalization", perChannel],
  ["InstanceNormalization", perChannel],
  ["GroupNormalization", groupNormalization],
  ["LayerNormalization", overLast],
  ["RMSNormalization", overLast],
  ["Softmax", butAxis(-1)],
  ["LogSoftmax", butAxis(-1)],
  ["Concat", concat],
  ["Split", split],
  ["Transpose", transpose],
  ["Gather", gather],
  ["Squeeze", squeeze],
  ["Unsqueeze", squeeze],
  ...["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"].map((op): [string, Rule] => [op, reduce]),
  ["Slice", along(untouched)],
  ["Pad", along(untouched)],
]);
