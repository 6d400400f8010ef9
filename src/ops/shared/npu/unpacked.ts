import type { Graph, Node, Tensor } from "../../../ir/graph.ts";
import unpackWeights from "../../npu/unpack-weights.ts";

/** Whether a node makes the array's int8 weights of constants of 4 bits. */
export function unpacksConstants(node: Node, graph: Graph): boolean {
  return (
    node.domain === "npu" &&
    node.op === "UnpackWeights" &&
    node.inputs.every((name) => name === "" || graph.constants.has(name))
  );
}

/** The weights that such a node makes, under the quantization that the graph says they have. */
export function unpackedConstant(node: Node, graph: Graph): Tensor {
  const inputs = node.inputs.map((name) => graph.constants.get(name));
  const [made] = unpackWeights.evaluate(node, inputs);
  const quant = graph.types.get(node.outputs[0])?.quant;
  return quant ? { ...made, quant } : made;
}

/** The graph with weights of 4 bits unpacked for good: constants in place of the nodes that make them. */
export function withUnpackedConstants(graph: Graph): Graph {
  const unpacking = new Set(graph.nodes.filter((node) => unpacksConstants(node, graph)));
  if (unpacking.size === 0) return graph;
  const constants = new Map(graph.constants);
  for (const node of unpacking) constants.set(node.outputs[0], unpackedConstant(node, graph));
  return { ...graph, constants, nodes: graph.nodes.filter((node) => !unpacking.has(node)) };
}
