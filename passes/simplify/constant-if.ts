import { forgetLost } from "../../src/ir/edit.ts";
import { type Graph, graphAttr, type Node, subgraphs } from "../../src/ir/graph.ts";
import { inlineBranch } from "../../src/ir/inline.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { namesOf } from "../../src/ir/uses.ts";
import type { Pass } from "../../src/pass.ts";

function takenBranch(node: Node, graph: Graph): Graph | undefined {
  if (node.op !== "If" || node.domain !== "" || graph.inputs.includes(node.inputs[0])) return undefined;
  const condition = graph.constants.get(node.inputs[0]);
  if (condition === undefined) return undefined;
  return graphAttr(node, numbersOf(condition)[0] ? "then_branch" : "else_branch");
}

/** When the condition is known, the branch that is taken is a part of the graph around it, and the other one is nothing. */
const pass: Pass = {
  summary: "Replaces an If whose condition is constant by the branch that is taken.",
  run(graph) {
    if (!graph.nodes.some((node) => takenBranch(node, graph))) return graph;
    // A branch's names may stay as they are, unless something outside both branches has them.
    const others = graph.nodes.filter((node) => takenBranch(node, graph) === undefined);
    const taken = namesOf({ ...graph, nodes: others });
    for (const node of graph.nodes) for (const name of node.outputs) taken.add(name);
    const constants = new Map(graph.constants);
    const types = new Map(graph.types);
    const nodes = graph.nodes.flatMap((node) => {
      const branch = takenBranch(node, graph);
      if (branch === undefined) return [node];
      const inlined = inlineBranch(node, branch, node.outputs, taken);
      for (const inner of inlined.nodes) for (const [, nested] of subgraphs(inner)) namesOf(nested, taken);
      for (const [name, tensor] of inlined.constants) constants.set(name, tensor);
      for (const [name, type] of inlined.types) types.set(name, type);
      return inlined.nodes;
    });
    return forgetLost(graph, { ...graph, nodes, constants, types });
  },
};

export default pass;
