/** Who reads a value: inputs, and what subgraphs capture from the graphs around them. */
import { type Graph, type Node, subgraphs } from "./graph.ts";

const captured = new WeakMap<Graph, ReadonlySet<string>>();

/** Names that a subgraph reads but does not make: they come from the graphs around it. Remembered per graph. */
export function capturesOf(graph: Graph): ReadonlySet<string> {
  const known = captured.get(graph);
  if (known !== undefined) return known;
  const made = new Set([...graph.inputs, ...graph.constants.keys()]);
  const outer = new Set<string>();
  const read = (name: string): void => {
    if (name !== "" && !made.has(name)) outer.add(name);
  };
  for (const node of graph.nodes) {
    for (const name of readsOf(node)) read(name);
    for (const name of node.outputs) made.add(name);
  }
  for (const name of graph.outputs) read(name);
  captured.set(graph, outer);
  return outer;
}

/** Every value that a node reads, subgraphs included; a value that is read twice by the inputs stands twice. */
export function readsOf(node: Node): string[] {
  const reads = node.inputs.filter((name) => name !== "");
  for (const [, graph] of subgraphs(node)) reads.push(...capturesOf(graph));
  return reads;
}

/** How often each value is read: once an input, once a subgraph, once a graph output, once a state. */
export function countUses(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (name: string): void => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  for (const node of graph.nodes) for (const name of readsOf(node)) count(name);
  for (const name of graph.outputs) count(name);
  for (const state of graph.states) count(state.output);
  return counts;
}

/** All names in a graph and in the graphs inside it: what a new name must avoid. */
export function namesOf(graph: Graph, names: Set<string> = new Set()): Set<string> {
  for (const name of graph.inputs) names.add(name);
  for (const name of graph.constants.keys()) names.add(name);
  for (const node of graph.nodes) {
    for (const name of node.outputs) names.add(name);
    for (const [, inner] of subgraphs(node)) namesOf(inner, names);
  }
  for (const name of capturesOf(graph)) names.add(name);
  return names;
}
