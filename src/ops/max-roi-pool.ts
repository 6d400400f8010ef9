import { elementCount, floatAttr, intsAttr, type Node } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { FLOATS, makeType, reject, requireRank, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

function pooledShape(node: Node): readonly [number, number] {
  const shape = intsAttr(node, "pooled_shape") ?? [];
  if (shape.length !== 2 || shape.some((size) => size < 1)) reject(node, `pooled_shape [${shape}] is not two sizes`);
  return [shape[0], shape[1]];
}

/** Rounds halves away from zero, as C does. */
function round(x: number): number {
  return Math.sign(x) * Math.floor(Math.abs(x) + 0.5);
}

/** First and last + 1 element of a bin, inside the image. */
function binOf(bin: number, bins: number, from: number, length: number, size: number): [number, number] {
  const clamp = (at: number) => Math.min(Math.max(at + from, 0), size);
  return [clamp(Math.floor((bin * length) / bins)), clamp(Math.ceil(((bin + 1) * length) / bins))];
}

/** The greatest element in each of a grid of bins over each region [image, x1, y1, x2, y2]; 0 for an empty bin. */
const op: Op = {
  infer(node, inputs) {
    const x = typeAt(node, inputs, 0, FLOATS);
    const rois = typeAt(node, inputs, 1, FLOATS);
    requireRank(node, x, 0, 4, 4);
    requireRank(node, rois, 1, 2, 2);
    return [makeType(x.dtype, [rois.shape?.[0] ?? "?", x.shape?.[1] ?? "?", ...pooledShape(node)])];
  },
  evaluate(node, inputs) {
    const [x, rois] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const [images, channels, height, width] = x.shape;
    const [rows, columns] = pooledShape(node);
    const scale = floatAttr(node, "spatial_scale", 1);
    const [values, corners] = [doublesOf(x), doublesOf(rois)];
    const shape = [rois.shape[0], channels, rows, columns];
    const result = new Float64Array(elementCount(shape));
    for (let region = 0; region < rois.shape[0]; region++) {
      const [image, ...ends] = Array.from({ length: 5 }, (_, index) => corners[region * 5 + index]);
      if (!(image >= 0 && image < images)) reject(node, `region ${region} lies on image ${image} of ${images}`);
      const [left, top, right, bottom] = ends.map((end) => round(end * scale));
      const [tall, wide] = [Math.max(bottom - top + 1, 1), Math.max(right - left + 1, 1)];
      for (let channel = 0; channel < channels; channel++) {
        const plane = (Math.trunc(image) * channels + channel) * height * width;
        for (let bin = 0; bin < rows * columns; bin++) {
          const [y0, y1] = binOf(Math.floor(bin / columns), rows, top, tall, height);
          const [x0, x1] = binOf(bin % columns, columns, left, wide, width);
          let greatest = y1 > y0 && x1 > x0 ? Number.NEGATIVE_INFINITY : 0;
          for (let y = y0; y < y1; y++) {
            for (let at = x0; at < x1; at++) greatest = Math.max(greatest, values[plane + y * width + at]);
          }
          result[(region * channels + channel) * rows * columns + bin] = greatest;
        }
      }
    }
    return [fromDoubles(x.dtype, shape, result)];
  },
};

export default op;
