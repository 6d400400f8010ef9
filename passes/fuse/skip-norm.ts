import { forgetLost, viewOf } from "../../src/ir/edit.ts";
import { attrs, floatAttr, type Graph, intAttr, type Node } from "../../src/ir/graph.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * A residual sum and the LayerNormalization of it read the same numbers: as one operator the sum is written once and
 * normalized on the way. The sum stays a value of its own, since the next residual reads it.
 */
const pass: Pass = {
  summary: "Makes one SkipLayerNormalization of a residual Add and the LayerNormalization after it.",
  run(graph: Graph) {
    const view = viewOf(graph);
    const replaced = new Map<Node, readonly Node[]>();
    for (const norm of graph.nodes) {
      if (norm.op !== "LayerNormalization" || norm.domain !== "" || norm.outputs.slice(1).some((name) => name !== ""))
        continue;
      const [input, gamma, beta = ""] = norm.inputs;
      const sum = view.producer(input);
      if (sum?.op !== "Add" || sum.domain !== "" || replaced.has(sum)) continue;
      const [a, b] = sum.inputs.map((name) => view.type(name)?.shape);
      const rank = a?.length;
      const sameShape = a !== undefined && String(a) === String(b) && !a.includes("?");
      const last = rank !== undefined && [-1, rank - 1].includes(intAttr(norm, "axis", -1));
      // The fused node takes the sum's place, before others that read it: scale and shift must be there already.
      const ready = [gamma, beta].every((name) => name === "" || view.constant(name) !== undefined);
      const plain =
        sum.inputs.every((name) => view.constant(name) === undefined) && view.type(input)?.quant === undefined;
      if (!sameShape || !last || rank !== 3 || !ready || !plain) continue;
      const outputs = [norm.outputs[0], "", "", view.uses(input) > 1 ? input : ""];
      while (outputs.at(-1) === "") outputs.pop();
      const fused: Node = {
        op: "SkipLayerNormalization",
        domain: "com.microsoft",
        inputs: beta === "" ? [...sum.inputs, gamma] : [...sum.inputs, gamma, beta],
        outputs,
        attrs: attrs({ epsilon: { f: floatAttr(norm, "epsilon", 1e-5) } }),
        origin: [...new Set([...sum.origin, ...norm.origin])].sort(),
      };
      replaced.set(sum, [fused]).set(norm, []);
    }
    if (replaced.size === 0) return graph;
    const nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
    return forgetLost(graph, { ...graph, nodes, opsets: new Map(graph.opsets).set("com.microsoft", 1) });
  },
};

export default pass;
