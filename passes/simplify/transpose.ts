import { forgetLost, type GraphView, viewOf } from "../../src/ir/edit.ts";
import {
  attrs,
  EMPTY_ATTRS,
  elementCount,
  freshName,
  type Graph,
  intsAttr,
  isStatic,
  type Node,
  type Tensor,
  type Type,
} from "../../src/ir/graph.ts";
import { int64 } from "../../src/ir/tensor.ts";
import { namesOf } from "../../src/ir/uses.ts";
import type { Pass } from "../../src/pass.ts";

/** These compute each element from the element at the same place, so they do not care in which order the axes lie. */
const UNARY: ReadonlySet<string> = new Set([
  "Abs",
  "Ceil",
  "Celu",
  "Clip",
  "Elu",
  "Erf",
  "Exp",
  "Floor",
  "Gelu",
  "HardSigmoid",
  "HardSwish",
  "LeakyRelu",
  "Log",
  "Mish",
  "Neg",
  "Reciprocal",
  "Relu",
  "Round",
  "Selu",
  "Sigmoid",
  "Sign",
  "Softplus",
  "Softsign",
  "Sqrt",
  "Swish",
  "Tanh",
]); // prettier-ignore
const BINARY: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"]);

/** The graph under edit: nodes by their output, and the names and constants that are taken. */
interface Draft {
  readonly view: GraphView;
  readonly names: Set<string>;
  readonly constants: Map<string, Tensor>;
  /** New nodes in place of old ones, by the old node; an empty list drops it. */
  readonly edits: Map<Node, readonly Node[]>;
}

function permOf(node: Node, view: GraphView): number[] | undefined {
  if (node.op !== "Transpose" || node.domain !== "") return undefined;
  const rank = view.type(node.inputs[0])?.shape?.length;
  return intsAttr(node, "perm") ?? (rank === undefined ? undefined : [...Array(rank).keys()].reverse());
}

function transposed(shape: readonly number[], perm: readonly number[]): number[] {
  return perm.map((axis) => shape[axis]);
}

function isPrivate(node: Node, view: GraphView): boolean {
  return view.uses(node.outputs[0]) === 1 && view.type(node.outputs[0])?.quant === undefined;
}

/** A constant operand as it must be before the transposition `perm`; undefined where its elements would have to move. */
function untransposed(tensor: Tensor, perm: readonly number[]): Tensor | undefined {
  if (tensor.quant !== undefined || tensor.shape.length > perm.length) return undefined;
  if (elementCount(tensor.shape) === 1) return tensor;
  if (tensor.shape.filter((dim) => dim !== 1).length > 1) return undefined;
  const full = [...new Array<number>(perm.length - tensor.shape.length).fill(1), ...tensor.shape];
  const shape = new Array<number>(perm.length).fill(1);
  for (const [place, axis] of perm.entries()) shape[axis] = full[place];
  return { ...tensor, shape };
}

/** The chain of elementwise nodes from a Transpose down to `end`, the Transpose first; each read only by the next. */
function chainAbove(end: Node, view: GraphView): Node[] | undefined {
  const chain: Node[] = [];
  for (let name = end.inputs[0]; ; ) {
    const node = view.producer(name);
    if (node === undefined || node.domain !== "" || !isPrivate(node, view)) return undefined;
    chain.unshift(node);
    if (node.op === "Transpose") return chain;
    const data = dataInput(node, view);
    if (data === undefined) return undefined;
    name = data;
  }
}

/** The one input of an elementwise node that is not constant. */
function dataInput(node: Node, view: GraphView): string | undefined {
  if (UNARY.has(node.op)) return node.inputs[0];
  if (!BINARY.has(node.op) || node.inputs.length !== 2) return undefined;
  const [a, b] = node.inputs;
  if (view.constant(b) !== undefined) return a;
  return view.constant(a) === undefined ? undefined : b;
}

/** Transpose → elementwise… → Transpose: the elementwise nodes move above, and the two transpositions become one. */
function mergeThrough(end: Node, perm: readonly number[], draft: Draft): boolean {
  const chain = chainAbove(end, draft.view);
  if (chain === undefined || chain.some((node) => draft.edits.has(node))) return false;
  const [start, ...between] = chain;
  const first = permOf(start, draft.view);
  if (first === undefined) return false;
  const operands = new Map<string, Tensor>();
  for (const node of between) {
    if (UNARY.has(node.op)) continue;
    for (const name of node.inputs) {
      const tensor = draft.view.constant(name);
      const moved = tensor === undefined ? undefined : untransposed(tensor, first);
      if (tensor !== undefined && moved === undefined) return false;
      if (moved !== undefined && moved !== tensor) operands.set(name, moved);
    }
  }
  let value = start.inputs[0];
  for (const node of between) {
    const data = dataInput(node, draft.view);
    const inputs = node.inputs.map((name) => (name === data ? value : operandName(name, operands, draft)));
    value = fresh(node.outputs[0], draft);
    draft.edits.set(node, [{ ...node, inputs, outputs: [value] }]);
  }
  const origin = [...new Set([...start.origin, ...end.origin])].sort();
  draft.edits.set(start, []);
  const whole = perm.map((axis) => first[axis]);
  draft.edits.set(end, [{ ...end, inputs: [value], attrs: attrs({ perm: { ints: whole } }), origin }]);
  return true;
}

function fresh(hint: string, draft: Draft): string {
  const name = freshName(hint, draft.names);
  draft.names.add(name);
  return name;
}

function operandName(name: string, operands: ReadonlyMap<string, Tensor>, draft: Draft): string {
  const tensor = operands.get(name);
  if (tensor === undefined) return name;
  const moved = fresh(name, draft);
  draft.constants.set(moved, tensor);
  return moved;
}

/** A transposition that moves axes of size 1 only keeps the elements' order: it is a Reshape. */
function asReshape(node: Node, perm: readonly number[], draft: Draft): boolean {
  const type: Type | undefined = draft.view.type(node.inputs[0]);
  const shape = type?.shape;
  if (!isStatic(shape) || shape.includes(0) || perm.every((axis, place) => axis === place)) return false;
  const moved = perm.filter((axis) => shape[axis] !== 1);
  if (moved.some((axis, place) => place > 0 && axis < moved[place - 1])) return false;
  const name = fresh(`${node.outputs[0]}_shape`, draft);
  const target = transposed(shape, perm);
  draft.constants.set(name, int64([target.length], target));
  draft.edits.set(node, [{ ...node, op: "Reshape", inputs: [node.inputs[0], name], attrs: EMPTY_ATTRS }]);
  return true;
}

function round(graph: Graph): Graph {
  const draft: Draft = {
    view: viewOf(graph),
    names: namesOf(graph),
    constants: new Map(graph.constants),
    edits: new Map(),
  };
  for (const node of graph.nodes) {
    if (draft.edits.has(node)) continue;
    const perm = permOf(node, draft.view);
    if (perm !== undefined && !asReshape(node, perm, draft)) mergeThrough(node, perm, draft);
  }
  if (draft.edits.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => draft.edits.get(node) ?? [node]);
  return forgetLost(graph, { ...graph, nodes, constants: draft.constants });
}

/**
 * Two transpositions in a row are one, also with elementwise nodes between them; and one that moves no element is a
 * Reshape.
 */
const pass: Pass = {
  summary: "Merges, moves and removes transpositions.",
  run(graph, context) {
    let current = graph;
    for (let next = round(current); next !== current; next = round(current)) current = context.infer(next);
    return current;
  },
};

export default pass;
