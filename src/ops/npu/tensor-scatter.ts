import { stringAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { axisView } from "../shared/index.ts";
import { codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { axisAttr, INDICES, reject } from "../shared/types.ts";

/**
 * The past with `update` in place of its rows indices[n] … along `axis`, n the batch (axis 0): modulo the length in a circle,
 * otherwise the index is clamped so that all rows fit.
 */
export default {
  infer(node, inputs) {
    const past = codeType(node, inputs, 0);
    const update = codeType(node, inputs, 1);
    const indices = codeType(node, inputs, 2, INDICES);
    const axis = axisAttr(node, past.shape.length, -2);
    const fits = update.shape.every((size, at) => (at === axis ? size <= past.shape[at] : size === past.shape[at]));
    if (axis === 0 || !fits || update.shape.length !== past.shape.length || update.dtype !== past.dtype)
      reject(node, `an update of ${update.dtype}[${update.shape}] does not fit ${past.dtype}[${past.shape}]`);
    if (indices.shape.length !== 1 || indices.shape[0] !== past.shape[0])
      reject(node, `indices of [${indices.shape}] are not one a batch`);
    return [{ dtype: past.dtype, shape: past.shape }];
  },
  evaluate(node, inputs) {
    const [past, update, indices] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1), codesAt(node, inputs, 2)];
    const axis = axisAttr(node, past.shape.length, -2);
    const { size, inner } = axisView(past.shape, axis);
    const rows = update.shape[axis];
    const circular = stringAttr(node, "mode", "linear") === "circular";
    const perBatch = past.shape.slice(1, axis).reduce((product, length) => product * length, 1);
    return [
      makeCodes(past.dtype, past.shape, (at) => {
        const outer = Math.floor(at / inner / size);
        const given = indices.values[Math.floor(outer / perBatch)];
        const first = circular ? given : Math.min(Math.max(given, 0), size - rows);
        const row = ((((Math.floor(at / inner) % size) - first) % size) + size) % size;
        return row < rows ? update.values[(outer * rows + row) * inner + (at % inner)] : past.values[at];
      }),
    ];
  },
} satisfies Op;
