import { z } from "zod";
import { forgetLost } from "../../src/ir/edit.ts";
import {
  byteSize,
  type Graph,
  isStatic,
  makeGraph,
  type Node,
  type RuntimeValue,
  subgraphs,
  type Tensor,
} from "../../src/ir/graph.ts";
import { findOp } from "../../src/ops/find.ts";
import type { Pass } from "../../src/pass.ts";
import { interpret } from "../../src/run/interpret.ts";

const options = z.strictObject({
  /** A folded value may not take more bytes than this, unless it is no larger than what it is computed from. */
  maxBytes: z
    .number()
    .int()
    .nonnegative()
    .default(1 << 20),
});

function isFoldable(node: Node, graph: Graph, constants: ReadonlyMap<string, Tensor>): boolean {
  if (node.domain !== "" || subgraphs(node).length > 0 || findOp(node.domain, node.op)?.deterministic === false)
    return false;
  if (node.inputs.length === 0 && node.op !== "Constant") return false;
  const isPlain = (name: string): boolean =>
    name === "" || (constants.has(name) && constants.get(name)?.quant === undefined);
  return node.inputs.every(isPlain) && node.outputs.every((name) => graph.types.get(name)?.quant === undefined);
}

/** Bytes of all outputs, or Infinity where a shape is not known. */
function outputBytes(node: Node, graph: Graph): number {
  let total = 0;
  for (const name of node.outputs) {
    const type = name === "" ? undefined : graph.types.get(name);
    if (name === "") continue;
    if (type === undefined || !isStatic(type.shape)) return Number.POSITIVE_INFINITY;
    total += byteSize(type.dtype, type.shape);
  }
  return total;
}

function isTensor(value: RuntimeValue): value is Tensor {
  return value !== undefined && !Array.isArray(value);
}

function evaluate(node: Node, graph: Graph, constants: ReadonlyMap<string, Tensor>): Map<string, Tensor> | undefined {
  const outputs = node.outputs.filter((name) => name !== "");
  const inputs = new Map(
    node.inputs.filter((name) => name !== "").map((name) => [name, constants.get(name) as Tensor]),
  );
  const alone = makeGraph({ inputs: [], outputs, nodes: [node], constants: inputs, types: graph.types });
  const found = new Map<string, Tensor>();
  for (const [name, value] of interpret(alone, new Map())) {
    if (!isTensor(value)) return undefined;
    found.set(name, value);
  }
  return found;
}

/**
 * A node whose inputs are all constant always gives the same values, so these can be constants. The graph's own outputs
 * stay computed, and nothing grows beyond a budget (a small shape may stand for gigabytes of zeros).
 */
const pass: Pass<z.infer<typeof options>> = {
  summary: "Computes what depends on constants only.",
  options,
  run(graph, { options: { maxBytes } }) {
    const constants = new Map(graph.constants);
    for (const name of graph.inputs) constants.delete(name);
    const outputs = new Set([...graph.outputs, ...graph.states.map((state) => state.output)]);
    const folded = new Map<string, Tensor>();
    const nodes = graph.nodes.filter((node) => {
      if (node.outputs.some((name) => outputs.has(name)) || !isFoldable(node, graph, constants)) return true;
      const read = node.inputs.reduce((sum, name) => {
        const tensor = constants.get(name);
        return tensor === undefined ? sum : sum + byteSize(tensor.dtype, tensor.shape);
      }, 0);
      if (node.op !== "Constant" && outputBytes(node, graph) > Math.max(maxBytes, read)) return true;
      const values = evaluate(node, graph, constants);
      if (values === undefined) return true;
      for (const [name, tensor] of values) {
        constants.set(name, tensor);
        folded.set(name, tensor);
      }
      return false;
    });
    if (nodes.length === graph.nodes.length) return graph;
    return forgetLost(graph, { ...graph, nodes, constants: new Map([...graph.constants, ...folded]) });
  },
};

export default pass;
