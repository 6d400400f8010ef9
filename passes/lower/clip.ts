import { rebuild } from "../../src/ir/build.ts";
import { numberOf } from "../../src/ir/channels.ts";
import { type Graph, typeOf } from "../../src/ir/graph.ts";
import { scalar } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * `max(x, c)` and `min(x, c)` with one number c are Clips, which ride on the accumulator; a Clip whose bounds are computed is
 * `min(max(x, low), high)`.
 */
const pass: Pass = {
  summary: "Makes Max and Min with a number Clips, and Clips with computed bounds Max and Min.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      if (node.domain !== "" || typeOf(graph, node.outputs[0])?.dtype !== "float32") return false;
      const [output] = node.outputs;
      if ((node.op === "Max" || node.op === "Min") && node.inputs.length === 2) {
        const [first, second] = node.inputs.map((name) => bound(graph, name));
        const limit = second ?? first;
        if (limit === undefined || (first !== undefined && second !== undefined)) return false;
        const x = node.inputs[second === undefined ? 1 : 0];
        if (String(typeOf(graph, x)?.shape) !== String(typeOf(graph, output)?.shape)) return false;
        build.node(
          "Clip",
          node.op === "Max" ? [x, scalar("float32", limit)] : [x, "", scalar("float32", limit)],
          {},
          output,
        );
        return true;
      }
      if (node.op !== "Clip") return false;
      const [x, low = "", high = ""] = node.inputs;
      const bounds = [low, high].map((name) => bound(graph, name));
      if ([low, high].every((name, side) => name === "" || bounds[side] !== undefined)) return false;
      // What no number reaches is no bound.
      const [below, above] = [low, high].map((name, side) => (Math.abs(bounds[side] ?? 0) < BOUNDLESS ? name : ""));
      if (above === "") build.node("Max", [x, below], {}, output);
      else build.node("Min", [below === "" ? x : build.node("Max", [x, below]), above], {}, output);
      return true;
    }),
};

export default pass;

const BOUNDLESS = 3e38;

function bound(graph: Graph, name: string): number | undefined {
  return graph.inputs.includes(name) ? undefined : numberOf(graph.constants.get(name));
}
