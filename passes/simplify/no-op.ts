import { forwardValues, type GraphView, viewOf } from "../../src/ir/edit.ts";
import { type Dim, elementCount, intAttr, intsAttr, logical, type Node, type Type } from "../../src/ir/graph.ts";
import { decode } from "../../src/ir/numbers.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { dtypeOfCode } from "../../src/ops/shared/cast.ts";
import type { Pass } from "../../src/pass.ts";

/** The input whose value the node's first output repeats, or undefined. */
type Rule = (node: Node, view: GraphView) => string | undefined;

function sameShape(a: Type | undefined, b: Type | undefined): boolean {
  if (a?.shape === undefined || b?.shape === undefined || a.shape.length !== b.shape.length) return false;
  return a.shape.every((dim: Dim, axis) => dim !== "?" && dim === b.shape?.[axis]);
}

function keepsShape(node: Node, view: GraphView, place = 0): boolean {
  return sameShape(view.type(node.inputs[place]), view.type(node.outputs[0]));
}

/** Is the input absent, or a constant with this number in every element? */
function isAll(node: Node, view: GraphView, place: number, wanted: number): boolean {
  const name = node.inputs[place] ?? "";
  if (name === "") return true;
  const tensor = view.constant(name);
  if (tensor === undefined || tensor.quant !== undefined || tensor.dtype === "string") return false;
  return elementCount(tensor.shape) > 0 && Array.from(decode(tensor), Number).every((value) => value === wanted);
}

const first: Rule = (node) => node.inputs[0];
const sameShaped: Rule = (node, view) => (keepsShape(node, view) ? node.inputs[0] : undefined);
const single: Rule = (node) => (node.inputs.length === 1 ? node.inputs[0] : undefined);

/** `x ∘ e = x`, on the right side, or on both where the operator is commutative. */
function neutral(element: number, commutative: boolean): Rule {
  return (node, view) => {
    if (isAll(node, view, 1, element) && keepsShape(node, view, 0)) return node.inputs[0];
    return commutative && isAll(node, view, 0, element) && keepsShape(node, view, 1) ? node.inputs[1] : undefined;
  };
}

const castTo: Rule = (node, view) => {
  const type = view.type(node.inputs[0]);
  return type !== undefined && logical(type).dtype === dtypeOfCode(intAttr(node, "to", 0)) ? node.inputs[0] : undefined;
};

const castLike: Rule = (node, view) => {
  const [from, to] = [view.type(node.inputs[0]), view.type(node.inputs[1])];
  return from && to && logical(from).dtype === logical(to).dtype ? node.inputs[0] : undefined;
};

const dropout: Rule = (node, view) => {
  const training = view.constant(node.inputs[2] ?? "");
  const inference = (node.inputs[2] ?? "") === "" || (training !== undefined && Number(numbersOf(training)[0]) === 0);
  const maskUnread = node.outputs.length < 2 || view.uses(node.outputs[1]) === 0;
  return inference && maskUnread ? node.inputs[0] : undefined;
};

const transpose: Rule = (node, view) => {
  const rank = view.type(node.inputs[0])?.shape?.length;
  const perm = intsAttr(node, "perm") ?? (rank === undefined ? undefined : [...Array(rank).keys()].reverse());
  return perm?.every((axis, place) => axis === place) ? node.inputs[0] : undefined;
};

/** A window of one element sees only that element. */
const pool: Rule = (node, view) => {
  const ones = (name: string): boolean => intsAttr(node, name)?.every((size) => size === 1) ?? name !== "kernel_shape";
  const alone = node.outputs.length < 2 || view.uses(node.outputs[1]) === 0;
  return ones("kernel_shape") && ones("strides") && alone && keepsShape(node, view) ? node.inputs[0] : undefined;
};

const RULES: Readonly<Record<string, Rule>> = {
  Identity: first,
  Dropout: dropout,
  Cast: castTo,
  CastLike: castLike,
  Reshape: sameShaped,
  Flatten: sameShaped,
  Squeeze: sameShaped,
  Unsqueeze: sameShaped,
  Expand: sameShaped,
  Transpose: transpose,
  Slice: (node, view) => (isAll(node, view, 4, 1) ? sameShaped(node, view) : undefined),
  Pad: (node, view) => (isAll(node, view, 1, 0) ? sameShaped(node, view) : undefined),
  Tile: (node, view) => (isAll(node, view, 1, 1) ? node.inputs[0] : undefined),
  Split: (node, view) => (node.outputs.length === 1 ? sameShaped(node, view) : undefined),
  Concat: single,
  Sum: single,
  Mean: single,
  Max: single,
  Min: single,
  Clip: (node) => (node.inputs.slice(1).every((name) => name === "") ? node.inputs[0] : undefined),
  GlobalAveragePool: sameShaped,
  GlobalMaxPool: sameShaped,
  AveragePool: pool,
  MaxPool: pool,
  Add: neutral(0, true),
  Sub: neutral(0, false),
  Mul: neutral(1, true),
  Div: neutral(1, false),
  Pow: neutral(1, false),
};

/** These compute their input's own values: whatever reads them can read the input. */
const pass: Pass = {
  summary:
    "Removes nodes that change nothing: Identity, x + 0, x · 1, the same shape or type, empty pads and the like.",
  run(graph) {
    const view = viewOf(graph);
    const forwards = new Map<string, string>();
    for (const node of graph.nodes) {
      const rule = node.domain === "" ? RULES[node.op] : undefined;
      const source = rule?.(node, view);
      if (source !== undefined && source !== "") forwards.set(node.outputs[0], source);
    }
    return forwards.size === 0 ? graph : forwardValues(graph, forwards);
  },
};

export default pass;
