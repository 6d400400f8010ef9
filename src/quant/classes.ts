import { type Graph, type Node, typeOf } from "../ir/graph.ts";
import { findOp } from "../ops/find.ts";
import { isReal } from "./groups.ts";

/**
 * Values that must share one quantization, because an operator only moves numbers from one to the other or because one
 * is fed back into the other. `roots` are the members whose numbers are new, and what is written into those that are caches; their
 * ranges make the class's range.
 */
export interface ValueClass {
  readonly members: readonly string[];
  readonly roots: readonly string[];
}

export function valueClasses(graph: Graph, skip: ReadonlySet<string>): Map<string, ValueClass> {
  const parent = new Map<string, string>();
  const find = (name: string): string => {
    let top = name;
    while (parent.get(top) !== top) top = parent.get(top) ?? top;
    for (let at = name; at !== top; ) {
      const next = parent.get(at) ?? top;
      parent.set(at, top);
      at = next;
    }
    return top;
  };
  const join = (a: string, b: string) => parent.set(find(a), find(b));
  const moved = new Set<string>();
  const written = new Map<string, string>();
  const add = (name: string) => {
    if (name && !skip.has(name) && isReal(typeOf(graph, name)) && !parent.has(name)) parent.set(name, name);
  };
  graph.inputs.forEach(add);
  for (const node of graph.nodes) node.outputs.forEach(add);
  for (const node of graph.nodes) {
    for (const [from, to] of moves(node)) {
      if (graph.constants.has(from)) add(from);
      if (!parent.has(from) || !parent.has(to) || differ(graph, from, to)) continue;
      join(to, from);
      moved.add(to);
    }
  }
  for (const { op, domain, inputs, outputs } of graph.nodes)
    if (op === "TensorScatter" && domain === "") written.set(outputs[0], inputs[1]);
  joinConcats(graph, parent, join);
  for (const state of graph.states) {
    if (!parent.has(state.input) || !parent.has(state.output)) continue;
    join(state.output, state.input);
  }
  return collect(graph, parent, find, moved, written);
}

/** Both came quantized, each its own way: then a Rescale lies between them. */
function differ(graph: Graph, a: string, b: string): boolean {
  const [left, right] = [typeOf(graph, a)?.quant, typeOf(graph, b)?.quant];
  if (!left || !right) return false;
  return left.scale[0] !== right.scale[0] || left.zeroPoint[0] !== right.zeroPoint[0];
}

/**
 * Pairs (from, to) of values between which a node only moves numbers. What goes into a cache is rescaled: a cache has the range of its
 * own rows, not that of all that a layer made beside them.
 */
function moves(node: Node): [string, string][] {
  const op = findOp(node.domain, node.op);
  if (!op?.passesThrough || node.op === "Concat") return [];
  if (node.op === "TensorScatter") return [[node.inputs[0], node.outputs[0]]];
  const outputs = node.outputs.filter((name) => name !== "");
  return (op.operands?.data ?? [0]).flatMap((at) => outputs.map((name): [string, string] => [node.inputs[at], name]));
}

/** What only a Concat reads may as well be stored at the Concat's quantization: it would be rounded to it anyway. */
function joinConcats(graph: Graph, parent: Map<string, string>, join: (a: string, b: string) => void): void {
  const readers = new Map<string, number>();
  for (const node of graph.nodes) for (const name of node.inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const fixed = new Set([...graph.outputs, ...graph.inputs, ...graph.states.map((state) => state.output)]);
  for (const node of graph.nodes) {
    if (node.op !== "Concat" || node.domain !== "" || !parent.has(node.outputs[0])) continue;
    for (const name of node.inputs) {
      const free = readers.get(name) === 1 && !fixed.has(name) && !differ(graph, name, node.outputs[0]);
      if (parent.has(name) && free) join(name, node.outputs[0]);
    }
  }
}

function collect(
  graph: Graph,
  parent: Map<string, string>,
  find: (name: string) => string,
  moved: ReadonlySet<string>,
  written: ReadonlyMap<string, string>,
): Map<string, ValueClass> {
  const members = new Map<string, string[]>();
  for (const name of parent.keys()) {
    const top = find(name);
    const list = members.get(top);
    if (list) list.push(name);
    else members.set(top, [name]);
  }
  const classes = new Map<string, ValueClass>();
  const states = new Set(graph.states.map((state) => state.input));
  for (const list of members.values()) {
    const rows = list.flatMap((name) => written.get(name) ?? []);
    const roots = [...list.filter((name) => !moved.has(name) && !states.has(name)), ...rows];
    const made = { members: list, roots: roots.length > 0 ? roots : list };
    for (const name of list) classes.set(name, made);
  }
  return classes;
}
