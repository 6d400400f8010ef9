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
