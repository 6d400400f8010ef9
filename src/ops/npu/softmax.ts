import { intAttr, type Node, stringAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { axisView } from "../shared/index.ts";
import { ACTIVATIONS, codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { axisAttr, reject } from "../shared/types.ts";

/**
 * exp(x − max) from a sealed table, e in [0, 2^15]. `normalised = 0` stores e as uint8 weights, which the MatMul that reads
 * them divides by their own sum; `normalised = 1` stores e / Σe as int8 (scale 1/256, zero −128) or int16 (scale 1/32768).
 */
export default {
  infer(node, inputs) {
    const { shape } = codeType(node, inputs, 0, ACTIVATIONS);
    axisAttr(node, shape.length, -1);
    return [{ dtype: storageOf(node), shape }];
  },
  evaluate(node, inputs) {
    const [x, table] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1).values];
    const dtype = storageOf(node);
    const power =
      x.dtype === "int8"
        ? (d: number) => table[d]
        : (d: number) => (table[d >> 8] * table[256 + (d & 255)] + 2 ** 14) >> 15;
    const { outer, size, inner } = axisView(x.shape, axisAttr(node, x.shape.length, -1));
    const codes = new Int32Array(x.values.length);
    for (let row = 0; row < outer * inner; row++) {
      const at = (k: number) => (Math.floor(row / inner) * size + k) * inner + (row % inner);
      let most = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < size; k++) most = Math.max(most, x.values[at(k)]);
      let total = 0;
      for (let k = 0; k < size; k++) total += power(most - x.values[at(k)]);
      for (let k = 0; k < size; k++) codes[at(k)] = codeOf(dtype, power(most - x.values[at(k)]), total);
    }
    return [makeCodes(dtype, x.shape, (at) => codes[at])];
  },
} satisfies Op;

type Storage = "uint8" | "int8" | "int16";

function storageOf(node: Node): Storage {
  if (intAttr(node, "normalised", 1) === 0) return "uint8";
  const dtype = stringAttr(node, "y_dtype", "int8");
  return dtype === "int8" || dtype === "int16" ? dtype : reject(node, `y_dtype is "${dtype}"; int8 or int16 is needed`);
}

/** e as it is stored; `total` is Σ e, at least the largest e. */
function codeOf(dtype: Storage, e: number, total: number): number {
  if (dtype === "uint8") return (255 * e + 2 ** 14) >> 15;
  const quotient = (bits: number) => Number((BigInt(e) * 2n ** BigInt(bits) + BigInt(total) / 2n) / BigInt(total));
  return dtype === "int8" ? Math.min(255, quotient(8)) - 128 : Math.min(32767, quotient(15));
}
