import type { Op } from "../op.ts";
import { axisView } from "../shared/index.ts";
import { codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { axisAttr, INDICES } from "../shared/types.ts";

/** Slices of x along `axis`; a negative index counts from the end, one out of range is clamped to the ends. */
export default {
  infer(node, inputs) {
    const x = codeType(node, inputs, 0);
    const indices = codeType(node, inputs, 1, INDICES);
    const axis = axisAttr(node, x.shape.length, 0);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }];
  },
  evaluate(node, inputs) {
    const [x, indices] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1)];
    const axis = axisAttr(node, x.shape.length, 0);
    const { size, inner } = axisView(x.shape, axis);
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    const count = indices.values.length;
    return [
      makeCodes(x.dtype, shape, (at) => {
        const index = indices.values[Math.floor(at / inner) % count];
        const resolved = Math.min(Math.max(index < 0 ? index + size : index, 0), size - 1);
        return x.values[(Math.floor(at / inner / count) * size + resolved) * inner + (at % inner)];
      }),
    ];
  },
} satisfies Op;
