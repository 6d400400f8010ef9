import { freshName, type Graph, type Node } from "../../src/ir/graph.ts";
import { countUses, namesOf } from "../../src/ir/uses.ts";
import { findOp } from "../../src/ops/find.ts";
import type { Pass } from "../../src/pass.ts";
import { scalarConstant } from "../../src/quant/groups.ts";

/**
 * `f(reshape(x)) = reshape(f(x))` for a function of one variable: next to the product that makes x, it can ride on the
 * accumulator; behind a Reshape it would be a pass over memory of its own.
 */
const pass: Pass = {
  summary: "Moves a Reshape behind the scalar functions that follow it, so that they can ride on what comes before.",
  run(graph) {
    let current = graph;
    for (;;) {
      const next = sinkOnce(current);
      if (next === current) return current;
      current = next;
    }
  },
};

export default pass;

function sinkOnce(graph: Graph): Graph {
  const uses = countUses(graph);
  const reshapes = new Map<string, Node>();
  for (const node of graph.nodes) {
    if (node.op === "Reshape" && node.domain === "" && uses.get(node.outputs[0]) === 1)
      reshapes.set(node.outputs[0], node);
  }
  const names = namesOf(graph);
  const replaced = new Map<Node, readonly Node[]>();
  const dropped = new Set<Node>();
  for (const node of graph.nodes) {
    const argument = scalarArgument(graph, node);
    const reshape = argument === undefined ? undefined : reshapes.get(argument);
    if (argument === undefined || !reshape || dropped.has(reshape)) continue;
    const inner = freshName(`${node.outputs[0]}/flat`, names);
    names.add(inner);
    const inputs = node.inputs.map((name) => (name === argument ? reshape.inputs[0] : name));
    replaced.set(node, [
      { ...node, inputs, outputs: [inner] },
      { ...reshape, inputs: [inner, reshape.inputs[1]], outputs: node.outputs },
    ]);
    dropped.add(reshape);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => (dropped.has(node) ? [] : (replaced.get(node) ?? [node])));
  const types = new Map(graph.types);
  for (const reshape of dropped) types.delete(reshape.outputs[0]);
  return { ...graph, nodes, types };
}

/** The argument of a function of one variable whose other inputs are single numbers of rank 0 or 1. */
function scalarArgument(graph: Graph, node: Node): string | undefined {
  const computed = node.inputs.filter((name) => name !== "" && !graph.constants.has(name));
  if (computed.length !== 1) return undefined;
  const small = node.inputs.every((name) => (graph.constants.get(name)?.shape.length ?? 0) <= 1);
  const constant = (index: number) => scalarConstant(graph, node.inputs[index]);
  return small && findOp(node.domain, node.op)?.riding?.(node, constant) ? computed[0] : undefined;
}
