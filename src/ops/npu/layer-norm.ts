import { elementCount, intAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { ACTIVATIONS, codesAt, codeType, makeCodes, requireChannels, storedType } from "../shared/npu/codes.ts";
import { floorDivide, postStage } from "../shared/npu/requantize.ts";
import { integerRoot } from "../shared/npu/root.ts";
import { axisAttr } from "../shared/types.ts";
import { tensorAt } from "../shared/values.ts";

/**
 * (x − mean) / √(variance + ε)·gamma + beta in integers, over the axes from `axis` on; `center = 0` leaves the mean in (RMSNorm).
 * The integer root is taken of V·4^p ≥ 2^50, so it has 26 significant bits. Inputs x, gamma, beta, multiplier, shift.
 */
export default {
  infer(node, inputs) {
    const { shape } = codeType(node, inputs, 0, ACTIVATIONS);
    const size = elementCount(shape.slice(axisAttr(node, shape.length, -1)));
    for (const index of [1, 2]) requireChannels(node, inputs, index, size);
    return [storedType(node, shape)];
  },
  evaluate(node, inputs) {
    const x = codesAt(node, inputs, 0);
    const [gamma, beta] = [codesAt(node, inputs, 1).values, codesAt(node, inputs, 2).values];
    const size = elementCount(x.shape.slice(axisAttr(node, x.shape.length, -1)));
    const zero = BigInt(intAttr(node, "x_zero", 0));
    const center = intAttr(node, "center", 1) === 1;
    const epsilon = BigInt(intAttr(node, "epsilon", 1));
    const n = BigInt(size);
    const wide = { ...node, attrs: new Map([...node.attrs, ["wide", { i: 1 }] as const]) };
    const store = postStage(wide, { multiplier: tensorAt(node, inputs, 3), shift: tensorAt(node, inputs, 4) });
    const codes = new Int32Array(x.values.length);
    for (let row = 0; row < codes.length; row += size) {
      const u = x.values.slice(row, row + size).map((code) => BigInt(code) - zero);
      const sum = center ? u.reduce((total, value) => total + value, 0n) : 0n;
      const squares = u.reduce((total, value) => total + value * value, 0n);
      const { root, power } = scaledRoot(n * squares - sum * sum + epsilon);
      for (let i = 0; i < size; i++) {
        const t = floorDivide((n * u[i] - sum) * 2n ** (power + 12n) + (root >> 1n), root);
        const v = Number(t) * gamma[gamma.length === 1 ? 0 : i] + beta[beta.length === 1 ? 0 : i];
        codes[row + i] = store(v, 0);
      }
    }
    return [makeCodes(storedType(node, x.shape).dtype, x.shape, (at) => codes[at])];
  },
} satisfies Op;

/** ⌊√(V·4^p)⌋ with the least p ≥ 0 that makes V·4^p ≥ 2^50. */
function scaledRoot(variance: bigint): { root: bigint; power: bigint } {
  let power = 0n;
  while (variance * 4n ** power < 2n ** 50n) power++;
  return { root: integerRoot(variance * 4n ** power), power };
}
