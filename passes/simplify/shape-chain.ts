import { forgetLost } from "../../src/ir/edit.ts";
import type { Tensor } from "../../src/ir/graph.ts";
import { knownValues } from "../../src/ops/infer.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * Shapes are known when inputs' shapes are, and so is what small integer arithmetic makes of them (Shape → Gather → Concat
 * for a Reshape). Type inference works these out anyway; here they become constants and their nodes go.
 */
const pass: Pass = {
  summary: "Turns shapes, and what is computed from shapes, into constants.",
  run(graph) {
    const known = knownValues(graph);
    const outputs = new Set([...graph.outputs, ...graph.states.map((state) => state.output)]);
    const found = new Map<string, Tensor>();
    const nodes = graph.nodes.filter((node) => {
      const made = node.outputs.filter((name) => name !== "");
      if (made.length === 0 || !made.every((name) => known.has(name) && !outputs.has(name))) return true;
      for (const name of made) found.set(name, known.get(name) as Tensor);
      return false;
    });
    if (found.size === 0) return graph;
    return forgetLost(graph, { ...graph, nodes, constants: new Map([...graph.constants, ...found]) });
  },
};

export default pass;
