import type { DType } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { spread } from "./shared/elementwise.ts";
import { codesLessZero, multiply, parameterOf, productDims, productMacs } from "./shared/matmul.ts";
import { quantizeNumber } from "./shared/quantize.ts";
import { makeType, typeAt } from "./shared/types.ts";
import { fromDoubles, tensorAt } from "./shared/values.ts";

const CODES: readonly DType[] = ["int8", "uint8"];
const SCALES: readonly DType[] = ["float32", "float16", "bfloat16"];

/** The product of codes, scaled to codes: inputs a, its scale and zero point, b, its scale and zero point, those of y. */
const op: Op = {
  infer(node, inputs) {
    const [a, b] = [typeAt(node, inputs, 0, CODES), typeAt(node, inputs, 3, CODES)];
    for (const scale of [1, 4, 6]) typeAt(node, inputs, scale, SCALES);
    typeAt(node, inputs, 2, [a.dtype]);
    typeAt(node, inputs, 5, [b.dtype]);
    return [makeType(typeAt(node, inputs, 7, CODES).dtype, productDims(node, a.shape, b.shape))];
  },
  evaluate(node, inputs) {
    const [a, aScale, aZero, b, bScale, bZero, yScale, yZero] = Array.from({ length: 8 }, (_, index) =>
      tensorAt(node, inputs, index),
    );
    const { shape, values } = multiply(node, codesLessZero(a, aZero, 0), codesLessZero(b, bZero, 1));
    const [left, right] = [spread(parameterOf(aScale, 0), shape), spread(parameterOf(bScale, 1), shape)];
    const [scale, zero] = [spread(parameterOf(yScale, 0), shape), spread(parameterOf(yZero, 0), shape)];
    const codes = values.map((sum, index) => {
      const factor = (Number(left[index]) * Number(right[index])) / Number(scale[index]);
      return quantizeNumber(sum * factor, Number(zero[index]), yZero.dtype);
    });
    return [fromDoubles(yZero.dtype, shape, codes)];
  },
  macs: (_, inputs, outputs) => productMacs(inputs[0]?.shape, outputs[0].shape),
};

export default op;
