import { decode } from "../../ir/numbers.ts";
import type { Op } from "../op.ts";
import { codeType, makeCodes } from "../shared/npu/codes.ts";
import { reject } from "../shared/types.ts";
import { tensorAt } from "../shared/values.ts";

/**
 * Codes two a byte: x int8 [..., 2n], clamped to [−8, 7], as y uint8 [..., n], the earlier one of each two in the low half
 * (two's complement, as int4 is stored in ONNX).
 */
export default {
  infer(node, inputs) {
    const { shape } = codeType(node, inputs, 0, ["int8"]);
    const last = shape.at(-1) ?? reject(node, "a single number has no neighbour");
    if (last % 2 !== 0) reject(node, `rows of ${last} codes are no whole bytes`);
    return [{ dtype: "uint8", shape: [...shape.slice(0, -1), last / 2] }];
  },
  evaluate(node, inputs) {
    const x = tensorAt(node, inputs, 0);
    const codes = decode(x) as Int8Array;
    const half = (at: number) => Math.min(7, Math.max(-8, codes[at])) & 15;
    const shape = [...x.shape.slice(0, -1), (x.shape.at(-1) ?? 0) / 2];
    return [makeCodes("uint8", shape, (at) => half(2 * at) + 16 * half(2 * at + 1))];
  },
} satisfies Op;
