import { forgetLost } from "../../src/ir/edit.ts";
import { attrs, freshName, type Graph, graphAttr, isStatic, type Node, subgraphs, typeOf } from "../../src/ir/graph.ts";
import { inlineBranch } from "../../src/ir/inline.ts";
import { namesOf } from "../../src/ir/uses.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * The chip has no branches: both are computed, and the condition, which is one number, selects. Only branches of equal, fixed
 * shapes without effects of their own; a large model behind an If costs both its halves, and says so in its cycles.
 */
const pass: Pass = {
  summary: "Computes both branches of an If whose condition is known at run time only, and selects.",
  run(graph) {
    if (!graph.nodes.some((node) => canSelect(graph, node))) return graph;
    const taken = namesOf(graph);
    const constants = new Map(graph.constants);
    const types = new Map(graph.types);
    const nodes = graph.nodes.flatMap((node): Node[] => {
      if (!canSelect(graph, node)) return [node];
      const sides = (["then_branch", "else_branch"] as const).map((side) => {
        const outputs = node.outputs.map((name) => (name === "" ? "" : freshName(`${name}/${side}`, taken)));
        for (const name of outputs) if (name !== "") taken.add(name);
        const inlined = inlineBranch(node, graphAttr(node, side) as Graph, outputs, taken);
        for (const [name, tensor] of inlined.constants) constants.set(name, tensor);
        for (const [name, type] of inlined.types) types.set(name, type);
        return { nodes: inlined.nodes, outputs };
      });
      const selected = node.outputs.flatMap((name, place): Node[] => {
        if (name === "") return [];
        const inputs = [node.inputs[0], sides[0].outputs[place], sides[1].outputs[place]];
        return [{ op: "Where", domain: "", inputs, outputs: [name], attrs: attrs({}), origin: node.origin }];
      });
      return [...sides.flatMap((side) => side.nodes), ...selected];
    });
    return forgetLost(graph, { ...graph, nodes, constants, types });
  },
};

export default pass;

/** Operators that must not run when their branch is not taken: they draw, or they may not end. */
const EFFECTS = new Set(["Loop", "Scan", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"]);

function canSelect(graph: Graph, node: Node): boolean {
  if (node.op !== "If" || node.domain !== "" || graph.constants.has(node.inputs[0])) return false;
  const branches = [graphAttr(node, "then_branch"), graphAttr(node, "else_branch")];
  return (
    node.outputs.every((name, place) => {
      if (name === "") return true;
      const shapes = branches.map((branch) => branch && shapeIn(graph, branch, branch.outputs[place]));
      const own = typeOf(graph, name);
      if (own?.dtype !== "float32" || own.container) return false;
      return shapes.every((shape) => isStatic(shape) && String(shape) === String(shapes[0]));
    }) &&
    branches.every((branch) => branch?.nodes.every((inner) => !EFFECTS.has(inner.op) && subgraphs(inner).length === 0))
  );
}

function shapeIn(graph: Graph, branch: Graph, name: string) {
  return (typeOf(branch, name) ?? typeOf(graph, name))?.shape;
}
