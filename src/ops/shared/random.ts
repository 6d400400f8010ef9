/** The random operators: a tensor of independent draws from the interpreter's seeded generator. */
import { type DType, elementCount, floatAttr, intAttr, intsAttr, type Node, type Tensor } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { dtypeOfCode } from "./cast.ts";
import { FLOATS, makeType, reject, typeAt } from "./types.ts";
import { fromDoubles, tensorAt } from "./values.ts";

/** One draw, from uniform numbers in [0, 1). */
export type Draw = (node: Node, random: () => number) => number;

/** Uniform in [low, high). */
export const uniform: Draw = (node, random) => {
  const [low, high] = [floatAttr(node, "low", 0), floatAttr(node, "high", 1)];
  return low + (high - low) * random();
};

/** Normal, by Box and Muller's transform; 1 − u keeps the logarithm finite. */
export const normal: Draw = (node, random) => {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return floatAttr(node, "mean", 0) + floatAttr(node, "scale", 1) * radius * Math.cos(2 * Math.PI * random());
};

function floatOf(node: Node, fallback: DType): DType {
  const code = intAttr(node, "dtype", 0);
  const dtype = code === 0 ? fallback : dtypeOfCode(code);
  return dtype && FLOATS.includes(dtype) ? dtype : reject(node, `the data type ${dtype ?? code} is not a float's`);
}

/** Half floats are computed in float32 and rounded by the interpreter. */
function drawn(node: Node, dtype: DType, shape: readonly number[], draw: Draw, random: () => number): Tensor {
  const values = Float64Array.from({ length: elementCount(shape) }, () => draw(node, random));
  return fromDoubles(dtype === "float64" ? dtype : "float32", shape, values);
}

/** An operator whose shape is an attribute. */
export function randomOfShape(draw: Draw): Op {
  const shapeOf = (node: Node) => {
    const shape = intsAttr(node, "shape") ?? reject(node, "there is no shape");
    return shape.every((dim) => dim >= 0) ? shape : reject(node, `the shape [${shape}] has a negative dimension`);
  };
  return {
    deterministic: false,
    infer: (node) => [makeType(floatOf(node, "float32"), shapeOf(node))],
    evaluate: (node, _inputs, { random }) => [drawn(node, floatOf(node, "float32"), shapeOf(node), draw, random)],
  };
}

/** An operator that takes shape and, unless `dtype` is given, dtype from its input. */
export function randomLike(draw: Draw): Op {
  return {
    deterministic: false,
    infer(node, inputs) {
      const { dtype, shape } = typeAt(node, inputs, 0);
      return [makeType(floatOf(node, dtype), shape)];
    },
    evaluate(node, inputs, { random }) {
      const { dtype, shape } = tensorAt(node, inputs, 0);
      return [drawn(node, floatOf(node, dtype), shape, draw, random)];
    },
  };
}
