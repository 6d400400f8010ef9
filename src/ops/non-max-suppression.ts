import { intAttr, type Node, type RuntimeValue } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { FLOATS, makeType, requireRank, typeAt } from "./shared/types.ts";
import { doublesOf, optionalTensorAt, scalarOf, tensorAt } from "./shared/values.ts";

interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** [y1, x1, y2, x2] with either corner first, or [x, y, width, height] around the centre. */
function boxAt(values: ArrayLike<number>, offset: number, centred: boolean): Box {
  const [a, b, c, d] = [0, 1, 2, 3].map((index) => values[offset + index]);
  if (centred) return { top: b - d / 2, left: a - c / 2, bottom: b + d / 2, right: a + c / 2 };
  return { top: Math.min(a, c), left: Math.min(b, d), bottom: Math.max(a, c), right: Math.max(b, d) };
}

function areaOf(box: Box): number {
  return Math.max(0, box.bottom - box.top) * Math.max(0, box.right - box.left);
}

/** Intersection over union; 0 for boxes of no area. */
function overlap(a: Box, b: Box): number {
  const common = areaOf({
    top: Math.max(a.top, b.top),
    left: Math.max(a.left, b.left),
    bottom: Math.min(a.bottom, b.bottom),
    right: Math.min(a.right, b.right),
  });
  const union = areaOf(a) + areaOf(b) - common;
  return union > 0 ? common / union : 0;
}

function numberAt(node: Node, inputs: readonly RuntimeValue[], index: number, fallback: number): number {
  const tensor = optionalTensorAt(node, inputs, index);
  return tensor ? scalarOf(node, tensor) : fallback;
}

/**
 * For each batch and class, takes boxes by falling score and leaves out those that overlap a taken one by more than the
 * threshold. Rows are [batch, class, box].
 */
const op: Op = {
  hostOnly: "how much it finds depends on the data, and the chip's commands have fixed sizes",
  infer(node, inputs) {
    requireRank(node, typeAt(node, inputs, 0, FLOATS), 0, 3, 3);
    requireRank(node, typeAt(node, inputs, 1, FLOATS), 1, 3, 3);
    return [makeType("int64", ["?", 3])];
  },
  evaluate(node, inputs) {
    const [boxes, scores] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const [batches, classes, count] = scores.shape;
    const most = numberAt(node, inputs, 2, 0);
    const maxOverlap = numberAt(node, inputs, 3, 0);
    const minScore = numberAt(node, inputs, 4, Number.NEGATIVE_INFINITY);
    const centred = intAttr(node, "center_point_box", 0) === 1;
    const [corners, score] = [doublesOf(boxes), doublesOf(scores)];
    const rows: number[][] = [];
    for (let batch = 0; batch < batches; batch++) {
      const all = Array.from({ length: count }, (_, box) => boxAt(corners, (batch * count + box) * 4, centred));
      for (let label = 0; label < classes; label++) {
        const at = (box: number) => score[(batch * classes + label) * count + box];
        const order = all.map((_, box) => box).filter((box) => at(box) > minScore);
        order.sort((a, b) => at(b) - at(a) || a - b);
        const taken: number[] = [];
        for (const box of order) {
          if (taken.length >= most) break;
          if (taken.every((other) => overlap(all[other], all[box]) <= maxOverlap)) taken.push(box);
        }
        for (const box of taken) rows.push([batch, label, box]);
      }
    }
    return [int64([rows.length, 3], rows.flat())];
  },
};

export default op;
