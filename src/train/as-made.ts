/** Outputs without a last Reshape. ONNX Runtime copies what it reshapes into an output, and whoever reads numbers alone needs no shape. */
import { forwardValues, removeDead } from "../ir/edit.ts";
import type { Graph, Node } from "../ir/graph.ts";

/** The graph with those of its outputs that `names` has in the shapes in which they were made. */
export function withOutputsAsMade(graph: Graph, names: Iterable<string>): Graph {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const forwards = new Map<string, string>();
  for (const name of names) {
    let source = name;
    for (let maker = makers.get(source); maker !== undefined && isView(maker); maker = makers.get(source)) {
      [source] = maker.inputs;
    }
    if (source !== name) forwards.set(name, source);
  }
  return removeDead(forwardValues(graph, forwards));
}

function isView({ op, domain }: Node): boolean {
  return domain === "" && (op === "Reshape" || op === "Identity");
}
