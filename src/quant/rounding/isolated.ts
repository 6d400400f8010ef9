import type { Graph } from "../../ir/graph.ts";

/** `graph` with the weights, and the biases that make up for them, that some of its nodes have in `rounded`, a graph of the same nodes. */
export function withRounded(graph: Graph, places: readonly number[], rounded: Graph): Graph {
  const constants = new Map(graph.constants);
  const nodes = [...graph.nodes];
  for (const at of places) {
    const inputs = [...nodes[at].inputs];
    for (const index of [1, 2]) {
      const name = rounded.nodes[at].inputs[index] ?? "";
      const tensor = rounded.constants.get(name);
      if (!tensor) continue;
      inputs[index] = `isolated/${name}`;
      constants.set(inputs[index], tensor);
    }
    nodes[at] = { ...nodes[at], inputs };
  }
  return { ...graph, nodes, constants };
}
