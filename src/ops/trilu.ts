import { elementCount, intAttr } from "../ir/graph.ts";
import { triluGradient } from "./gradient/move.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import { requireRank, typeAt } from "./shared/types.ts";
import { gatherOffsets, optionalTensorAt, scalarOf, tensorAt } from "./shared/values.ts";

/** The upper (column ≥ row + k) or lower (column ≤ row + k) triangle of each matrix; the rest is 0. */
const op: Op = {
  gradient: triluGradient,
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0);
    requireRank(node, type, 0, 2);
    return [type];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const upper = intAttr(node, "upper", 1) !== 0;
    const diagonal = optionalTensorAt(node, inputs, 1);
    const k = diagonal ? scalarOf(node, diagonal) : 0;
    const { size: rows, inner: columns } = axisView(data.shape, data.shape.length - 2);
    const offsets = Int32Array.from({ length: elementCount(data.shape) }, (_, position) => {
      const column = position % columns;
      const row = Math.floor(position / columns) % rows;
      return (upper ? column >= row + k : column <= row + k) ? position : -1;
    });
    return [gatherOffsets(data, data.shape, offsets)];
  },
};

export default op;
