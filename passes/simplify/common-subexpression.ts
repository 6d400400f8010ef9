import { createHash } from "node:crypto";
import { forwardValues } from "../../src/ir/edit.ts";
import { type Graph, type Node, subgraphs, type Tensor } from "../../src/ir/graph.ts";
import { bytesOf, isLazy } from "../../src/ir/tensor.ts";
import { printNode } from "../../src/ir/text/print.ts";
import { printType } from "../../src/ir/text/values.ts";
import { findOp } from "../../src/ops/find.ts";
import type { Pass } from "../../src/pass.ts";

/** Tensors never change, and the pass runs many times over the same weights. */
const contents = new WeakMap<Tensor, string>();

/** What a constant holds; undefined where it still lies in its file. */
function contentOf(tensor: Tensor): string | undefined {
  if (isLazy(tensor.data)) return undefined;
  let content = contents.get(tensor);
  if (content === undefined) {
    const values = Array.isArray(tensor.data) ? JSON.stringify(tensor.data) : bytesOf(tensor);
    content = `${printType(tensor)} ${createHash("sha256").update(values).digest("hex")}`;
    contents.set(tensor, content);
  }
  return content;
}

/** What a node computes, said the same for nodes that compute the same; undefined where they may differ all the same. */
function meaningOf(node: Node, names: ReadonlyMap<string, string>, graph: Graph): string | undefined {
  if (subgraphs(node).length > 0 || findOp(node.domain, node.op)?.deterministic === false) return undefined;
  const inputs = node.inputs.map((name) => names.get(name) ?? name);
  const outputs = node.outputs.map((name) => (name === "" ? "" : "*"));
  const types = node.outputs.map((name) => graph.types.get(name)).map((type) => (type?.quant ? printType(type) : ""));
  const tensors: Tensor[] = [];
  const sink = { add: (tensor: Tensor) => tensors.push(tensor) - 1 };
  const lines = printNode({ ...node, inputs, outputs, origin: [] }, graph, { sink, short: false, types: false });
  return [...lines, ...types, ...tensors.map((tensor) => contentOf(tensor) ?? "")].join("\n");
}

/** Two nodes that compute the same from the same values give the same values: one is enough. So with equal constants. */
const pass: Pass = {
  summary: "Merges equal constants, and nodes that compute the same.",
  run(graph) {
    const forwards = new Map<string, string>();
    const seenConstants = new Map<string, string>();
    for (const [name, tensor] of graph.constants) {
      if (graph.inputs.includes(name)) continue;
      const content = contentOf(tensor);
      const first = content === undefined ? undefined : seenConstants.get(content);
      if (first !== undefined) forwards.set(name, first);
      else if (content !== undefined) seenConstants.set(content, name);
    }
    const outputs = new Set(graph.outputs);
    const seen = new Map<string, Node>();
    const merged = new Map<Node, string[]>();
    for (const node of graph.nodes) {
      const meaning = meaningOf(node, forwards, graph);
      const first = meaning === undefined ? undefined : seen.get(meaning);
      if (first === undefined) {
        if (meaning !== undefined) seen.set(meaning, node);
        continue;
      }
      // Two outputs of the graph keep their two names.
      if (node.outputs.some((name, place) => outputs.has(name) && outputs.has(first.outputs[place]))) continue;
      for (const [place, name] of node.outputs.entries()) if (name !== "") forwards.set(name, first.outputs[place]);
      merged.set(first, [...(merged.get(first) ?? first.origin), ...node.origin]);
    }
    if (forwards.size === 0) return graph;
    const nodes = graph.nodes.map((node) => {
      const origin = merged.get(node);
      return origin === undefined ? node : { ...node, origin: [...new Set(origin)].sort() };
    });
    return forwardValues(graph, forwards, nodes);
  },
};

export default pass;
