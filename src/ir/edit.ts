/** Editing whole graphs, for passes that no pattern describes. Nothing is changed in place. */
import { type Attr, type Graph, type Node, subgraphs, type Tensor, type Type, typeOf } from "./graph.ts";
import type { MatchView } from "./match.ts";
import { capturesOf, countUses, readsOf } from "./uses.ts";

/** Who makes and reads what in a graph. Constants that are also inputs (defaults) are not constant. */
export interface GraphView extends MatchView {
  readonly graph: Graph;
}

export function viewOf(graph: Graph): GraphView {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== "") producers.set(name, node);
  const uses = countUses(graph);
  const inputs = new Set(graph.inputs);
  return {
    graph,
    producer: (value) => producers.get(value),
    uses: (value) => uses.get(value) ?? 0,
    constant: (value): Tensor | undefined => (inputs.has(value) ? undefined : graph.constants.get(value)),
    type: (value): Type | undefined => typeOf(graph, value),
  };
}

/** The node reading other names, subgraphs included; the same node where none of them is in the map. */
export function renameReads(node: Node, names: ReadonlyMap<string, string>): Node {
  const reads = readsOf(node);
  if (!reads.some((name) => names.has(name))) return node;
  const inputs = node.inputs.map((name) => names.get(name) ?? name);
  if (subgraphs(node).length === 0) return { ...node, inputs };
  const attrs = new Map<string, Attr>();
  for (const [name, attr] of node.attrs) {
    if ("g" in attr) attrs.set(name, { g: renameCaptures(attr.g, names) });
    else if ("gs" in attr) attrs.set(name, { gs: attr.gs.map((graph) => renameCaptures(graph, names)) });
    else attrs.set(name, attr);
  }
  return { ...node, inputs, attrs };
}

/** Renames what a subgraph takes from the graphs around it. */
function renameCaptures(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const relevant = new Map([...names].filter(([from]) => capturesOf(graph).has(from)));
  if (relevant.size === 0) return graph;
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameReads(node, relevant)),
    outputs: graph.outputs.map((name) => relevant.get(name) ?? name),
  };
}

/**
 * Lets readers of each key read its value instead, and drops the nodes that made the keys. A graph's output keeps its
 * name: what was forwarded to it is renamed where it can be, else its node stays. A value whose own quantization differs
 * from that of what it is forwarded to does not hold the same numbers: it stays as it is. `nodes` may stand in for the graph's.
 */
export function forwardValues(graph: Graph, forwards: ReadonlyMap<string, string>, nodes = graph.nodes): Graph {
  const sources = resolveForwards(graph, forwards);
  const renamed = renamedSources(graph, sources);
  const outputs = new Set(graph.outputs);
  const taken = new Set(renamed.values());
  const reads = new Map(renamed);
  for (const [name, source] of sources) if (!taken.has(name)) reads.set(name, renamed.get(source) ?? source);
  const uses = countUses(graph);
  const isGone = (node: Node): boolean =>
    node.outputs.some((name) => sources.has(name)) &&
    node.outputs.every((name) =>
      sources.has(name) ? taken.has(name) || !outputs.has(name) : name === "" || !uses.has(name),
    );
  let changed = false;
  const edited = nodes.flatMap((node) => {
    if (isGone(node)) {
      changed = true;
      return [];
    }
    const reading = renameReads(node, reads);
    const gives = reading.outputs.some((name) => renamed.has(name));
    changed ||= gives || reading !== node;
    return [gives ? { ...reading, outputs: reading.outputs.map((name) => renamed.get(name) ?? name) } : reading];
  });
  const moved = graph.states.some((state) => reads.has(state.output));
  if (!changed && !moved) return graph;
  const states = moved
    ? graph.states.map((state) => ({ ...state, output: reads.get(state.output) ?? state.output }))
    : graph.states;
  return forgetLost(graph, { ...graph, nodes: edited, states, types: renameTypes(graph, renamed, taken) });
}

/** Each forwarded name with the value that it finally stands for. */
function resolveForwards(graph: Graph, forwards: ReadonlyMap<string, string>): Map<string, string> {
  const next = (name: string): string | undefined => {
    const to = forwards.get(name);
    if (to === undefined) return undefined;
    const quant = typeOf(graph, name)?.quant;
    return quant === undefined || quant === typeOf(graph, to)?.quant ? to : undefined;
  };
  const sources = new Map<string, string>();
  for (const name of forwards.keys()) {
    let at = name;
    for (let to = next(at); to !== undefined; to = next(at)) at = to;
    if (at !== name) sources.set(name, at);
  }
  return sources;
}

/** Sources that take the name of the graph's output that they are forwarded to. */
function renamedSources(graph: Graph, sources: ReadonlyMap<string, string>): Map<string, string> {
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const outputs = new Set(graph.outputs);
  const renamed = new Map<string, string>();
  for (const output of outputs) {
    const source = sources.get(output);
    if (source === undefined || !made.has(source) || outputs.has(source) || renamed.has(source)) continue;
    if (typeOf(graph, source)?.quant === typeOf(graph, output)?.quant) renamed.set(source, output);
  }
  return renamed;
}

function renameTypes(graph: Graph, renamed: ReadonlyMap<string, string>, taken: ReadonlySet<string>) {
  const types = new Map<string, Type>();
  for (const [name, type] of graph.types) if (!taken.has(name)) types.set(renamed.get(name) ?? name, type);
  return types;
}

/** Drops constants that were read before, or are new, and that nobody reads now; and types of values that are gone. */
export function forgetLost(before: Graph, after: Graph): Graph {
  const [had, has] = [countUses(before), countUses(after)];
  const inputs = new Set(after.inputs);
  const lost = (name: string): boolean =>
    (had.has(name) || !before.constants.has(name)) && !has.has(name) && !inputs.has(name);
  const constants = [...after.constants.keys()].some(lost)
    ? new Map([...after.constants].filter(([name]) => !lost(name)))
    : after.constants;
  const made = new Set([...after.inputs, ...after.nodes.flatMap((node) => node.outputs)]);
  const types = [...after.types.keys()].every((name) => made.has(name))
    ? after.types
    : new Map([...after.types].filter(([name]) => made.has(name)));
  return { ...after, constants, types };
}

/** Drops nodes and constants that nobody reads. The same graph comes back where nothing was dead. */
export function removeDead(graph: Graph): Graph {
  const uses = countUses(graph);
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (node.outputs.some((name) => (uses.get(name) ?? 0) > 0)) kept.push(node);
    else for (const name of readsOf(node)) uses.set(name, (uses.get(name) ?? 0) - 1);
  }
  const inputs = new Set(graph.inputs);
  const constants = new Map([...graph.constants].filter(([name]) => (uses.get(name) ?? 0) > 0 || inputs.has(name)));
  if (kept.length === graph.nodes.length && constants.size === graph.constants.size) return graph;
  return forgetLost(graph, { ...graph, nodes: kept.reverse(), constants });
}
