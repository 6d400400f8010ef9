import { decode } from "../../ir/numbers.ts";
import type { Op } from "../op.ts";
import { codeType, makeCodes } from "../shared/npu/codes.ts";
import { reject } from "../shared/types.ts";
import { tensorAt } from "../shared/values.ts";

/** What PackNibbles packed: x uint8 [..., n] as y int8 [..., 2n] in [−8, 7], the low half of each byte first. */
export default {
  infer(node, inputs) {
    const { shape } = codeType(node, inputs, 0, ["uint8"]);
    const last = shape.at(-1) ?? reject(node, "a single number is no row of bytes");
    return [{ dtype: "int8", shape: [...shape.slice(0, -1), 2 * last] }];
  },
  evaluate(node, inputs) {
    const x = tensorAt(node, inputs, 0);
    const bytes = decode(x) as Uint8Array;
    const shape = [...x.shape.slice(0, -1), 2 * (x.shape.at(-1) ?? 0)];
    return [
      makeCodes("int8", shape, (at) => {
        const half = at % 2 === 0 ? bytes[at >> 1] & 15 : bytes[at >> 1] >> 4;
        return half < 8 ? half : half - 16;
      }),
    ];
  },
} satisfies Op;
