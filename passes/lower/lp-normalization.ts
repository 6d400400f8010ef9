import { rebuild } from "../../src/ir/build.ts";
import { intAttr, isStatic, typeOf } from "../../src/ir/graph.ts";
import { float32, int64, scalar } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** Below this a line is as good as zero: what keeps 0/0 away. */
const TINY = 1e-12;

/**
 * `x / ‖x‖₂ = rms(x) / √n`, where rms is RMSNormalization, an exact integer algorithm; for p = 1 the norm is a sum, and x is
 * divided by it.
 */
const pass: Pass = {
  summary: "Says LpNormalization with RMSNormalization, or with a sum of magnitudes and a division.",
  run(graph) {
    const next = rebuild(graph, (node, build) => {
      if (node.op !== "LpNormalization" || node.domain !== "") return false;
      const [x] = node.inputs;
      const type = typeOf(graph, x);
      if (!isStatic(type?.shape) || type.dtype !== "float32") return false;
      const rank = type.shape.length;
      const given = intAttr(node, "axis", -1);
      const axis = given < 0 ? given + rank : given;
      if (intAttr(node, "p", 2) === 1) {
        const sum = build.node("ReduceSum", [build.node("Abs", [x]), int64([1], [axis])], { keepdims: { i: 1 } });
        build.node("Div", [x, build.node("Clip", [sum, scalar("float32", TINY)])], {}, node.outputs[0]);
        return true;
      }
      const count = type.shape[axis];
      const last = axis === rank - 1;
      const perm = type.shape.map((_, at) => (at === axis ? rank - 1 : at === rank - 1 ? axis : at));
      const rows = last ? x : build.node("Transpose", [x], { perm: { ints: perm } });
      const gain = float32([count], new Float32Array(count).fill(1 / Math.sqrt(count)));
      const attributes = { axis: { i: -1 }, epsilon: { f: TINY } };
      const norm = build.node("RMSNormalization", [rows, gain], attributes, last ? node.outputs[0] : undefined);
      if (!last) build.node("Transpose", [norm], { perm: { ints: perm } }, node.outputs[0]);
      return true;
    });
    // RMSNormalization came with opset 23.
    if (next === graph) return graph;
    return { ...next, opsets: new Map(next.opsets).set("", Math.max(23, next.opsets.get("") ?? 0)) };
  },
};

export default pass;
