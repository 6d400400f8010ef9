/** The float model with one thing in it quantized: what that alone does to the answers. */
import type { Graph } from "../ir/graph.ts";

/** `graph` with the values `roots` stored as `annotated` says; itself where none of them is quantized there. */
export function withStored(graph: Graph, roots: readonly string[], annotated: Graph): Graph {
  const types = new Map(graph.types);
  let any = false;
  for (const name of roots) {
    const [own, stored] = [graph.types.get(name), annotated.types.get(name)];
    if (!own || !stored?.quant) continue;
    types.set(name, { ...own, dtype: stored.dtype, quant: stored.quant });
    any = true;
  }
  return any ? { ...graph, types } : graph;
}

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
