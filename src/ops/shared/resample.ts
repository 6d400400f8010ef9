/** Resampling along one axis, for Resize: which input elements an output element takes, and with which weights. */
import { floatAttr, intAttr, type Node, stringAttr } from "../../ir/graph.ts";
import { reject } from "./types.ts";

/** One axis to resample. `scale` is output over input as given, which the rounded sizes may not quite show. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly scale: number;
  /** The part of the input to read, as fractions of it (tf_crop_and_resize). */
  readonly start: number;
  readonly end: number;
}

/** What one output position takes: input positions (clamped to the border) and weights. `outside`: nothing of the input. */
export interface Taps {
  readonly positions: readonly number[];
  readonly weights: readonly number[];
  readonly outside: boolean;
}

type Coordinate = (x: number, axis: Axis) => number;

function halfPixel(x: number, { scale }: Axis): number {
  return (x + 0.5) / scale - 0.5;
}

/** Where an output position lies among the input positions: the attribute `coordinate_transformation_mode`. */
const COORDINATES = new Map<string, Coordinate>([
  ["half_pixel", halfPixel],
  // Where the output size was rounded, what is left over is shared by both ends.
  [
    "half_pixel_symmetric",
    (x, axis) => (axis.input / 2) * (1 - axis.output / (axis.scale * axis.input)) + halfPixel(x, axis),
  ],
  ["pytorch_half_pixel", (x, axis) => (axis.output > 1 ? halfPixel(x, axis) : 0)],
  ["tf_half_pixel_for_nn", (x, { scale }) => (x + 0.5) / scale],
  // ONNX's reference takes scale · input for the output size here; ONNX Runtime and PyTorch the rounded one, as does this.
  ["align_corners", (x, { input, output }) => (output > 1 ? (x * (input - 1)) / (output - 1) : 0)],
  ["asymmetric", (x, { scale }) => x / scale],
  [
    "tf_crop_and_resize",
    (x, { input, output, start, end }) =>
      output > 1
        ? start * (input - 1) + (x * (end - start) * (input - 1)) / (output - 1)
        : 0.5 * (start + end) * (input - 1),
  ],
]);

/** The attribute `nearest_mode`. */
const NEAREST = new Map<string, (x: number) => number>([
  ["round_prefer_floor", (x) => Math.ceil(x - 0.5)],
  ["round_prefer_ceil", (x) => Math.floor(x + 0.5)],
  ["floor", Math.floor],
  ["ceil", Math.ceil],
]);

/** A kernel of half width `reach`: the weight of an element at a distance. */
interface Kernel {
  readonly reach: number;
  readonly weight: (distance: number) => number;
}

const LINEAR: Kernel = { reach: 1, weight: (distance) => Math.max(0, 1 - distance) };

/** Keys' cubic convolution with the parameter a. */
function cubic(a: number): Kernel {
  return {
    reach: 2,
    weight(t) {
      if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
      return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
    },
  };
}

function kernelOf(node: Node): Kernel | undefined {
  const mode = stringAttr(node, "mode", "nearest");
  if (mode === "nearest") return undefined;
  if (mode === "linear") return LINEAR;
  return mode === "cubic"
    ? cubic(floatAttr(node, "cubic_coeff_a", -0.75))
    : reject(node, `the mode ${mode} is not known`);
}

/** The taps of every output position along an axis, as the node's attributes say. */
export function tapsAlong(node: Node, axis: Axis): Taps[] {
  const name = stringAttr(node, "coordinate_transformation_mode", "half_pixel");
  const coordinate = COORDINATES.get(name) ?? reject(node, `the coordinate transformation ${name} is not known`);
  const kernel = kernelOf(node);
  const last = axis.input - 1;
  const clamp = (position: number) => Math.min(Math.max(position, 0), last);
  const nearestName = stringAttr(node, "nearest_mode", "round_prefer_floor");
  const nearest = NEAREST.get(nearestName) ?? reject(node, `the nearest mode ${nearestName} is not known`);
  const antialias = intAttr(node, "antialias", 0) === 1;
  const exclude = intAttr(node, "exclude_outside", 0) === 1;
  return Array.from({ length: axis.output }, (_, x): Taps => {
    const at = coordinate(x, axis);
    const outside = name === "tf_crop_and_resize" && (at < 0 || at > last);
    if (kernel === undefined) return { positions: [clamp(nearest(at))], weights: [1], outside };
    // Antialiasing widens the kernel by the factor of the reduction, so that every input element counts.
    const stretch = antialias ? Math.min(axis.scale, 1) : 1;
    const left = Math.floor(-kernel.reach / stretch) + 1;
    const base = Math.ceil(at) - 1;
    const ratio = at - base;
    const steps = Array.from({ length: 2 - 2 * left }, (_, index) => left + index);
    const weights = steps.map((step) => {
      const dropped = exclude && (base + step < 0 || base + step > last);
      return dropped ? 0 : kernel.weight(Math.abs(step - ratio) * stretch);
    });
    const total = antialias || exclude ? weights.reduce((sum, weight) => sum + weight, 0) : 1;
    return {
      positions: steps.map((step) => clamp(base + step)),
      weights: weights.map((weight) => weight / total),
      outside,
    };
  });
}
