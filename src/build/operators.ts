import type { Lineage } from "../artifact/lineage.ts";
import { type Attr, type Graph, type Node, subgraphs, typeOf } from "../ir/graph.ts";

type Operators = Lineage["operators"]["teacher"];

/** What the graph is made of: kinds of nodes with their settings and what reads them, counted. Subgraphs count, too. */
export function operatorsOf(graph: Graph): Operators {
  const found = new Map<string, Operators[number]>();
  const graphs = [graph];
  for (let next = graphs.pop(); next !== undefined; next = graphs.pop()) {
    const readers = readersOf(next);
    for (const node of next.nodes) {
      graphs.push(...subgraphs(node).map(([, inner]) => inner));
      const kind = kindOf(node, next, readers);
      const name = JSON.stringify(kind);
      found.set(name, { ...kind, count: (found.get(name)?.count ?? 0) + 1 });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, kind]) => kind);
}

function kindOf(node: Node, graph: Graph, readers: ReadonlyMap<string, Set<string>>): Omit<Operators[number], "count"> {
  const attrs = [...node.attrs]
    .map(([name, attr]): [string, string | undefined] => [name, textOf(attr)])
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const readBy = node.outputs.flatMap((output) => [...(readers.get(output) ?? [])]);
  const dtype = typeOf(graph, node.inputs.find((name) => name !== "") ?? node.outputs[0])?.dtype ?? "unknown";
  return { op: opOf(node), attrs: Object.fromEntries(attrs), dtype, readBy: [...new Set(readBy)].sort() };
}

const opOf = ({ op, domain }: Node): string => (domain === "" ? op : `${domain}.${op}`);

function readersOf({ nodes }: Graph): Map<string, Set<string>> {
  const readers = new Map<string, Set<string>>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      const known = readers.get(input);
      if (known) known.add(opOf(node));
      else readers.set(input, new Set([opOf(node)]));
    }
  }
  return readers;
}

/** Longer lists are tables, not settings. */
const MOST = 16;

function textOf(attr: Attr): string | undefined {
  if ("i" in attr) return String(attr.i);
  if ("f" in attr) return String(attr.f);
  if ("s" in attr) return attr.s.slice(0, 64);
  if ("ints" in attr && attr.ints.length <= MOST) return attr.ints.join(",");
  if ("floats" in attr && attr.floats.length <= MOST) return attr.floats.join(",");
  return undefined;
}
