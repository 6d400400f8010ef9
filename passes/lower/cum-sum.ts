import { rebuild } from "../../src/ir/build.ts";
import { numberOf } from "../../src/ir/channels.ts";
import { intAttr, isStatic, typeOf } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** A longer axis would make the triangle larger than most weights. */
const LONGEST = 1024;

/** Running sums are a product with a triangle of ones, and the array adds exactly. */
const pass: Pass = {
  summary: "Makes a CumSum a product with a triangle of ones.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      if (node.op !== "CumSum" || node.domain !== "") return false;
      const type = typeOf(graph, node.inputs[0]);
      const given = numberOf(graph.constants.get(node.inputs[1]));
      if (!isStatic(type?.shape) || type.dtype !== "float32" || given === undefined) return false;
      const { shape } = type;
      const rank = shape.length;
      const axis = given < 0 ? given + rank : given;
      const size = shape[axis];
      if (size > LONGEST) return false;
      const exclusive = intAttr(node, "exclusive", 0) !== 0;
      const reverse = intAttr(node, "reverse", 0) !== 0;
      const reaches = (from: number, to: number) => (from === to ? !exclusive : reverse ? from > to : from < to);
      const triangle = Float32Array.from({ length: size * size }, (_, at) =>
        reaches(Math.floor(at / size), at % size) ? 1 : 0,
      );
      const perm = shape.map((_, at) => (at === axis ? rank - 1 : at === rank - 1 ? axis : at));
      const last = axis === rank - 1;
      const rows = last ? node.inputs[0] : build.node("Transpose", [node.inputs[0]], { perm: { ints: perm } });
      const flat = rank === 1 ? build.reshape(rows, [1, size]) : rows;
      const direct = last && rank > 1;
      const sums = build.node(
        "MatMul",
        [flat, float32([size, size], triangle)],
        {},
        direct ? node.outputs[0] : undefined,
      );
      if (rank === 1) build.reshape(sums, shape, node.outputs[0]);
      else if (!last) build.node("Transpose", [sums], { perm: { ints: perm } }, node.outputs[0]);
      return true;
    }),
};

export default pass;
