import type { Graph, Node } from "../../ir/graph.ts";
import { capturesOf, readsOf } from "../../ir/uses.ts";

/** Nodes in order: one of the chip's, or neighbours that the CPU computes, as a graph of their own. */
export type Segment =
  | { readonly kind: "chip"; readonly node: Node }
  | { readonly kind: "host"; readonly graph: Graph; readonly reads: readonly string[] };

/** Splits a graph into the chip's nodes and the CPU's graphs; a CPU graph gives only what is read after it. */
export function segmentsOf(graph: Graph): Segment[] {
  const segments: Segment[] = [];
  let host: Node[] = [];
  const flush = (next: number) => {
    if (host.length > 0) segments.push(hostSegment(graph, host, next));
    host = [];
  };
  graph.nodes.forEach((node, index) => {
    if (node.domain !== "npu") host.push(node);
    else {
      flush(index);
      segments.push({ kind: "chip", node });
    }
  });
  flush(graph.nodes.length);
  return segments;
}

function hostSegment(graph: Graph, nodes: readonly Node[], next: number): Segment {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const later = new Set(graph.outputs);
  for (const { output } of graph.states) later.add(output);
  for (const node of graph.nodes.slice(next)) for (const name of readsOf(node)) later.add(name);
  const part: Graph = {
    ...graph,
    inputs: [],
    outputs: [...made].filter((name) => name !== "" && later.has(name)),
    nodes,
    states: [],
  };
  const reads = [...capturesOf(part)];
  return { kind: "host", graph: { ...part, inputs: reads }, reads };
}
