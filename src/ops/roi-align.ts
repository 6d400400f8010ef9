import { elementCount, floatAttr, intAttr, type Node, stringAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { FLOATS, makeType, reject, requireRank, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, integersOf, tensorAt } from "./shared/values.ts";

interface Settings {
  readonly rows: number;
  readonly columns: number;
  readonly ratio: number;
  readonly scale: number;
  readonly halfPixel: boolean;
  readonly max: boolean;
}

function settingsOf(node: Node): Settings {
  const [rows, columns] = [intAttr(node, "output_height", 1), intAttr(node, "output_width", 1)];
  const ratio = intAttr(node, "sampling_ratio", 0);
  if (rows < 1 || columns < 1 || ratio < 0) reject(node, `an output of [${rows},${columns}] with ${ratio} samples`);
  const mode = stringAttr(node, "mode", "avg");
  if (mode !== "avg" && mode !== "max") reject(node, `the mode ${mode} is not known`);
  const coordinates = stringAttr(node, "coordinate_transformation_mode", "half_pixel");
  if (coordinates !== "half_pixel" && coordinates !== "output_half_pixel") {
    reject(node, `the coordinate transformation ${coordinates} is not known`);
  }
  const scale = floatAttr(node, "spatial_scale", 1);
  return { rows, columns, ratio, scale, halfPixel: coordinates === "half_pixel", max: mode === "max" };
}

/** The four neighbours of a point and their bilinear weights; none for a point more than one pixel outside. */
function neighbours(y: number, x: number, height: number, width: number): [number, number][] {
  if (y < -1 || y > height || x < -1 || x > width) return [];
  const along = (at: number, size: number): [number, number, number] => {
    const inside = Math.max(at, 0);
    const low = Math.min(Math.floor(inside), size - 1);
    return [low, Math.min(low + 1, size - 1), low >= size - 1 ? 0 : inside - low];
  };
  const [top, bottom, down] = along(y, height);
  const [left, right, across] = along(x, width);
  return [
    [top * width + left, (1 - down) * (1 - across)],
    [top * width + right, (1 - down) * across],
    [bottom * width + left, down * (1 - across)],
    [bottom * width + right, down * across],
  ];
}

/**
 * Samples each region on a grid of bins, bilinearly at a few points a bin: their mean, or the greatest of the weighted
 * neighbours. Inputs: x [n, c, h, w], regions [k, 4] as x1, y1, x2, y2, and the image of each region [k].
 */
const op: Op = {
  hostOnly: "it reads at places that are computed at run time",
  infer(node, inputs) {
    const x = typeAt(node, inputs, 0, FLOATS);
    const rois = typeAt(node, inputs, 1, FLOATS);
    requireRank(node, x, 0, 4, 4);
    requireRank(node, rois, 1, 2, 2);
    typeAt(node, inputs, 2, ["int64"]);
    const { rows, columns } = settingsOf(node);
    return [makeType(x.dtype, [rois.shape?.[0] ?? "?", x.shape?.[1] ?? "?", rows, columns])];
  },
  evaluate(node, inputs) {
    const [x, rois, images] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const { rows, columns, ratio, scale, halfPixel, max } = settingsOf(node);
    const [count, channels, height, width] = x.shape;
    const [values, corners, owners] = [doublesOf(x), doublesOf(rois), integersOf(images)];
    const shape = [rois.shape[0], channels, rows, columns];
    const result = new Float64Array(elementCount(shape));
    for (let region = 0; region < rois.shape[0]; region++) {
      const image = owners[region];
      if (!(image >= 0 && image < count)) reject(node, `region ${region} lies on image ${image} of ${count}`);
      const shift = halfPixel ? 0.5 : 0;
      const [left, top, right, bottom] = [0, 1, 2, 3].map((index) => corners[region * 4 + index] * scale - shift);
      const least = halfPixel ? Number.NEGATIVE_INFINITY : 1;
      const [tall, wide] = [Math.max(bottom - top, least) / rows, Math.max(right - left, least) / columns];
      const [down, across] = [tall, wide].map((size) => ratio || Math.max(Math.ceil(size), 0));
      for (let bin = 0; bin < rows * columns; bin++) {
        const [row, column] = [Math.floor(bin / columns), bin % columns];
        const points: [number, number][][] = [];
        for (let sample = 0; sample < down * across; sample++) {
          const y = top + (row + (Math.floor(sample / across) + 0.5) / down) * tall;
          const at = left + (column + ((sample % across) + 0.5) / across) * wide;
          points.push(neighbours(y, at, height, width));
        }
        for (let channel = 0; channel < channels; channel++) {
          const plane = (image * channels + channel) * height * width;
          const samples = points.map((point) => point.map(([offset, weight]) => weight * values[plane + offset]));
          result[(region * channels + channel) * rows * columns + bin] = max ? greatest(samples) : average(samples);
        }
      }
    }
    return [fromDoubles(x.dtype, shape, result)];
  },
};

function greatest(samples: readonly (readonly number[])[]): number {
  const all = samples.map((parts) => (parts.length === 0 ? 0 : Math.max(...parts)));
  return all.reduce((most, value) => Math.max(most, value), all[0] ?? 0);
}

function average(samples: readonly (readonly number[])[]): number {
  const total = samples.reduce((sum, parts) => sum + parts.reduce((a, b) => a + b, 0), 0);
  return total / Math.max(samples.length, 1);
}

export default op;
