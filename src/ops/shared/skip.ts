/** The residual sum in front of a normalisation, for ONNX Runtime's fused operators. */
import type { Node, RuntimeValue, Tensor, Type } from "../../ir/graph.ts";
import { spread } from "./elementwise.ts";
import { FLOATS, makeType, requireRank, requireSameDType, typeAt } from "./types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./values.ts";

/** Types of the result, the mean, 1/deviation and the sum: the statistics keep the last axis as 1. */
export function inferSkip(node: Node, inputs: readonly (Type | undefined)[]): Type[] {
  const type = typeAt(node, inputs, 0, FLOATS);
  requireRank(node, type, 0, 2, 3);
  requireSameDType(node, inputs, 0, 1);
  typeAt(node, inputs, 2, FLOATS);
  const statistic = makeType("float32", type.shape?.with(-1, 1));
  return [type, statistic, statistic, type];
}

/** input + skip, and the bias at input `bias` if it is there; both are broadcast to the input. */
export function skipSum(node: Node, inputs: readonly RuntimeValue[], bias: number): Tensor {
  const x = tensorAt(node, inputs, 0);
  const parts = [tensorAt(node, inputs, 1), optionalTensorAt(node, inputs, bias)]
    .filter((part) => part !== undefined)
    .map((part) => spread(part, x.shape) as ArrayLike<number>);
  const sum = Float64Array.from(doublesOf(x), (value, index) => {
    return parts.reduce((total, part) => total + part[index], value);
  });
  return fromDoubles(x.dtype, x.shape, sum);
}
