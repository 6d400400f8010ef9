import type { DType, Node, RuntimeValue } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { codesLessZero, multiply, productDims, productMacs } from "./shared/matmul.ts";
import { makeType, optionalTypeAt, typeAt } from "./shared/types.ts";
import { fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";

const CODES: readonly DType[] = ["int8", "uint8"];

function factor(node: Node, inputs: readonly RuntimeValue[], index: 0 | 1) {
  return codesLessZero(tensorAt(node, inputs, index), optionalTensorAt(node, inputs, index + 2), index);
}

/** The product of 8-bit codes, each less its zero point (one for all, a row of a, or a column of b), summed in int32. */
const op: Op = {
  infer(node, inputs) {
    const [a, b] = [0, 1].map((index) => typeAt(node, inputs, index, CODES));
    optionalTypeAt(node, inputs, 2, [a.dtype]);
    optionalTypeAt(node, inputs, 3, [b.dtype]);
    return [makeType("int32", productDims(node, a.shape, b.shape))];
  },
  evaluate(node, inputs) {
    const { shape, values } = multiply(node, factor(node, inputs, 0), factor(node, inputs, 1));
    return [fromDoubles("int32", shape, values)];
  },
  macs: (_, inputs, outputs) => productMacs(inputs[0]?.shape, outputs[0].shape),
};

export default op;
