import { rebuild } from "../../src/ir/build.ts";
import { numberOf } from "../../src/ir/channels.ts";
import { intAttr, isStatic, typeOf } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** A triangle of a matrix is its product, number by number, with a triangle of ones. */
const pass: Pass = {
  summary: "Makes a Trilu of real numbers a product with a constant of zeros and ones.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      if (node.op !== "Trilu" || node.domain !== "") return false;
      const type = typeOf(graph, node.inputs[0]);
      const k = node.inputs[1] ? numberOf(graph.constants.get(node.inputs[1])) : 0;
      if (!isStatic(type?.shape) || type.dtype !== "float32" || k === undefined) return false;
      const [rows, columns] = type.shape.slice(-2);
      const upper = intAttr(node, "upper", 1) !== 0;
      const keeps = (row: number, column: number) => (upper ? column >= row + k : column <= row + k);
      const triangle = Float32Array.from({ length: rows * columns }, (_, at) =>
        keeps(Math.floor(at / columns), at % columns) ? 1 : 0,
      );
      build.node("Mul", [node.inputs[0], float32([rows, columns], triangle)], {}, node.outputs[0]);
      return true;
    }),
};

export default pass;
