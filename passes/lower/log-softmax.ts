import { rebuild } from "../../src/ir/build.ts";
import { intAttr, typeOf } from "../../src/ir/graph.ts";
import { int64 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** `log softmax(x) = d − log Σeᵈ` with `d = x − max x`: no number in it is large, and the sum is at least 1. */
const pass: Pass = {
  summary: "Says LogSoftmax with a maximum, a sum of exponentials and its logarithm.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      if (node.op !== "LogSoftmax" || node.domain !== "" || typeOf(graph, node.inputs[0])?.dtype !== "float32")
        return false;
      const axes = int64([1], [intAttr(node, "axis", -1)]);
      const keepdims = { i: 1 };
      const top = build.node("ReduceMax", [node.inputs[0], axes], { keepdims });
      const below = build.node("Sub", [node.inputs[0], top]);
      const sum = build.node("ReduceSum", [build.node("Exp", [below]), axes], { keepdims });
      build.node("Sub", [below, build.node("Log", [sum])], {}, node.outputs[0]);
      return true;
    }),
};

export default pass;
