import { elementCount, intAttr } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { forEachIndex, offsetOf } from "./shared/index.ts";
import { INDICES, reject, requireRank, resolveAxis, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

/** In each batch, the first `sequence_lens` steps along the time axis are reversed and the rest stays. */
const op: Op = {
  passesThrough: true,
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0);
    requireRank(node, type, 0, 2);
    requireRank(node, typeAt(node, inputs, 1, INDICES), 1, 1, 1);
    return [type];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const lengths = integersOf(tensorAt(node, inputs, 1));
    const { shape } = data;
    const batch = resolveAxis(node, intAttr(node, "batch_axis", 1), shape.length);
    const time = resolveAxis(node, intAttr(node, "time_axis", 0), shape.length);
    if (batch === time) reject(node, "batch_axis and time_axis are the same");
    if (lengths.length !== shape[batch]) reject(node, `${lengths.length} sequence lengths for ${shape[batch]} batches`);
    if (lengths.some((length) => length < 0 || length > shape[time])) {
      reject(node, `the sequence lengths [${lengths}] do not fit ${shape[time]} steps`);
    }
    const strides = stridesOf(shape);
    const offsets = new Int32Array(elementCount(shape));
    forEachIndex(shape, (index, position) => {
      const length = lengths[index[batch]];
      const at = index[time];
      const from = at < length ? length - 1 - at : at;
      offsets[position] = offsetOf(index, strides) + (from - at) * strides[time];
    });
    return [gatherOffsets(data, shape, offsets)];
  },
};

export default op;
