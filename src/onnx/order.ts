import { CompileError } from "../error.ts";
import { type Attr, type Graph, type Node, subgraphs } from "../ir/graph.ts";
import { quote } from "./decode-graph.ts";

/** A set of names, or something that answers like one. */
interface Names {
  has(name: string): boolean;
}
const NO_NAMES: Names = { has: () => false };

/**
 * Checks every name of a graph and its subgraphs and puts nodes into execution order (unchanged where they already are).
 * Throws `model/duplicate-name`, `model/undefined-input`, `model/undefined-output`, `model/cycle`.
 */
export function ordered(graph: Graph, outer: Names = NO_NAMES): Graph {
  return orderedIn(graph, outer, new Map());
}

function orderedIn(graph: Graph, outer: Names, free: Map<Graph, ReadonlySet<string>>): Graph {
  const makers = new Map<string, number>();
  const given = new Set<string>(graph.constants.keys());
  for (const name of graph.inputs) {
    if (name === "") throw new CompileError("model/no-name", "a graph input has no name");
    if (given.has(name)) throw duplicate(name, "graph input");
    given.add(name);
  }
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (given.has(name) || makers.has(name)) throw duplicate(name, `output of node ${quote(node.origin[0])}`);
      makers.set(name, index);
    }
  });

  const reads = graph.nodes.map((node) => readsOf(node, free));
  graph.nodes.forEach((node, index) => {
    for (const name of reads[index]) {
      if (makers.has(name) || given.has(name) || outer.has(name)) continue;
      throw new CompileError("model/undefined-input", `nothing makes the value ${quote(name)}`, {
        where: `node ${quote(node.origin[0])}`,
        remedy: "the model is damaged or was cut out of a larger one; export it again",
      });
    }
  });
  const outputs = new Set<string>();
  for (const name of graph.outputs) {
    if (outputs.has(name)) throw duplicate(name, "graph output");
    outputs.add(name);
    if (makers.has(name) || given.has(name) || outer.has(name)) continue;
    throw new CompileError("model/undefined-output", `nothing makes the graph's output ${quote(name)}`, {
      where: `graph ${quote(graph.name)}`,
    });
  }

  const order = sorted(graph.nodes, reads, makers);
  const inner: Names = { has: (name) => given.has(name) || makers.has(name) || outer.has(name) };
  const nodes = order.map((index) => withOrderedSubgraphs(graph.nodes[index], inner, free));
  const same = nodes.every((node, index) => node === graph.nodes[index]);
  return same ? graph : { ...graph, nodes };
}

function duplicate(name: string, what: string): CompileError {
  return new CompileError("model/duplicate-name", `the name ${quote(name)} is given twice`, { where: what });
}

function withOrderedSubgraphs(node: Node, outer: Names, free: Map<Graph, ReadonlySet<string>>): Node {
  if (subgraphs(node).length === 0) return node;
  let changed = false;
  const attrs = new Map<string, Attr>();
  const order = (graph: Graph) => {
    const result = orderedIn(graph, outer, free);
    changed ||= result !== graph;
    return result;
  };
  for (const [name, attr] of node.attrs) {
    if ("g" in attr) attrs.set(name, { g: order(attr.g) });
    else if ("gs" in attr) attrs.set(name, { gs: attr.gs.map(order) });
    else attrs.set(name, attr);
  }
  return changed ? { ...node, attrs } : node;
}

/** Every value a node needs: its inputs, and what its subgraphs take from around them. */
function readsOf(node: Node, free: Map<Graph, ReadonlySet<string>>): ReadonlySet<string> {
  const names = new Set(node.inputs);
  names.delete("");
  for (const [, graph] of subgraphs(node)) for (const name of freeNames(graph, free)) names.add(name);
  return names;
}

function freeNames(graph: Graph, free: Map<Graph, ReadonlySet<string>>): ReadonlySet<string> {
  const known = free.get(graph);
  if (known) return known;
  const own = new Set<string>([...graph.inputs, ...graph.constants.keys()]);
  for (const node of graph.nodes) for (const name of node.outputs) own.add(name);
  const names = new Set<string>();
  for (const node of graph.nodes) for (const name of readsOf(node, free)) if (!own.has(name)) names.add(name);
  for (const name of graph.outputs) if (!own.has(name)) names.add(name);
  free.set(graph, names);
  return names;
}

/** Indices in execution order: each node after what it reads, else as in the file. Iterative: files may be deep. */
function sorted(
  nodes: readonly Node[],
  reads: readonly ReadonlySet<string>[],
  makers: ReadonlyMap<string, number>,
): number[] {
  const order: number[] = [];
  const state = new Uint8Array(nodes.length); // 0 unseen, 1 on the way, 2 done
  for (let root = 0; root < nodes.length; root++) {
    if (state[root] === 2) continue;
    const path: [index: number, rest: Iterator<string>][] = [[root, reads[root].values()]];
    state[root] = 1;
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const [index, rest] = top;
      const next = rest.next();
      if (next.done) {
        state[index] = 2;
        order.push(index);
        path.pop();
        continue;
      }
      const maker = makers.get(next.value);
      if (maker === undefined || state[maker] === 2) continue;
      if (state[maker] === 1) {
        throw new CompileError("model/cycle", `the value ${quote(next.value)} depends on itself`, {
          where: `node ${quote(nodes[maker].origin[0])}`,
          remedy: "loops must be written with Loop or Scan",
        });
      }
      state[maker] = 1;
      path.push([maker, reads[maker].values()]);
    }
  }
  return order;
}
