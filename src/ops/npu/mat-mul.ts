import { elementCount, intAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import {
  codesAt,
  codeType,
  makeCodes,
  postInputs,
  requireChannels,
  requirePost,
  storedType,
} from "../shared/npu/codes.ts";
import { productOf } from "../shared/npu/product.ts";
import { floorDivide, postStage } from "../shared/npu/requantize.ts";

/**
 * numpy's batched product: v = bias[n] + Σ (a − a_zero)·(b − b_zero). With `normalise` (a holds unnormalised softmax weights,
 * uint8) the row is divided by the sum R of its weights: v = ⌊(acc·2^16 + (R >> 1)) / R⌋, R at least 1.
 * Inputs a, b, bias?, then the post stage's.
 */
export default {
  infer(node, inputs) {
    const a = codeType(node, inputs, 0, ["int8", "int16", "uint8"]);
    const b = codeType(node, inputs, 1, ["int8"]);
    const { shape, columns } = productOf(node, a.shape, b.shape);
    requireChannels(node, inputs, 2, columns);
    requirePost(node, inputs, 3, columns);
    return [storedType(node, shape)];
  },
  evaluate(node, inputs) {
    const [a, b] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1)];
    const bias = inputs[2] === undefined ? [0] : codesAt(node, inputs, 2).values;
    const { rows, columns, depth, left, right, shape } = productOf(node, a.shape, b.shape);
    const [aZero, bZero] = [intAttr(node, "a_zero", 0), intAttr(node, "b_zero", 0)];
    const normalise = intAttr(node, "normalise", 0) === 1;
    const store = postStage(node, postInputs(node, inputs, 3));
    return [
      makeCodes(storedType(node, shape).dtype, shape, (at) => {
        const column = at % columns;
        const row = Math.floor(at / columns) % rows;
        const batch = Math.floor(at / columns / rows);
        let sum = bias[bias.length === 1 ? 0 : column];
        let total = 0;
        for (let k = 0; k < depth; k++) {
          const weight = a.values[left[batch] + row * depth + k];
          sum += (weight - aZero) * (b.values[right[batch] + k * columns + column] - bZero);
          total += weight;
        }
        return store(normalise ? divideByTotal(sum, total) : sum, column);
      }),
    ];
  },
  macs(node, inputs) {
    const { shape, depth } = productOf(node, codeType(node, inputs, 0).shape, codeType(node, inputs, 1).shape);
    return elementCount(shape) * depth;
  },
} satisfies Op;

function divideByTotal(sum: number, total: number): number {
  const divisor = BigInt(Math.max(1, total));
  return Number(floorDivide(BigInt(sum) * 65536n + (divisor >> 1n), divisor));
}
