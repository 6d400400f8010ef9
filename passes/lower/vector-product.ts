import { rebuild } from "../../src/ir/build.ts";
import { isStatic, typeOf } from "../../src/ir/graph.ts";
import type { Pass } from "../../src/pass.ts";

/** A vector on the left is a matrix of one row, one on the right a matrix of one column; the axis of 1 goes afterwards. */
const pass: Pass = {
  summary: "Makes a MatMul with a vector one of matrices between Reshapes.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      if (node.op !== "MatMul" || node.domain !== "") return false;
      const [a, b] = node.inputs.map((name) => typeOf(graph, name)?.shape);
      const y = typeOf(graph, node.outputs[0])?.shape;
      if (!isStatic(a) || !isStatic(b) || !isStatic(y) || (a.length > 1 && b.length > 1)) return false;
      const left = a.length === 1 ? build.reshape(node.inputs[0], [1, a[0]]) : node.inputs[0];
      const right = b.length === 1 ? build.reshape(node.inputs[1], [b[0], 1]) : node.inputs[1];
      build.reshape(build.node("MatMul", [left, right]), y, node.outputs[0]);
      return true;
    }),
};

export default pass;
