import { rebuild } from "../../src/ir/build.ts";
import { typeOf } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** The operators that take any number of inputs, and what two of them are. */
const PAIRS: ReadonlyMap<string, string> = new Map([
  ["Sum", "Add"],
  ["Mean", "Add"],
]);

/** Σ of n values is n − 1 additions; a mean divides the sum by n once. */
const pass: Pass = {
  summary: "Makes a Sum or Mean of several values additions of two.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      const pair = node.domain === "" ? PAIRS.get(node.op) : undefined;
      if (!pair || typeOf(graph, node.outputs[0])?.dtype !== "float32") return false;
      const { inputs } = node;
      const [output] = node.outputs;
      const mean = node.op === "Mean" && inputs.length > 1;
      if (inputs.length === 1) {
        build.node("Identity", inputs, {}, output);
        return true;
      }
      let sum = inputs[0];
      for (let index = 1; index < inputs.length; index++) {
        const last = index === inputs.length - 1 && !mean;
        sum = build.node(pair, [sum, inputs[index]], {}, last ? output : undefined);
      }
      if (mean) build.node("Mul", [sum, float32([], [1 / inputs.length])], {}, output);
      return true;
    }),
};

export default pass;
