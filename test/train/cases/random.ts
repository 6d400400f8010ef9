/** Cases that nobody chose: convolutions, pools, products and broadcasts of random geometry. */
import { seededRandom } from "../../../src/ir/random.ts";
import type { GradientCase } from "../../harness/gradient.ts";

type Draw = (low: number, high: number) => number;

function convolution(draw: Draw, transposed: boolean): Pick<GradientCase, "text" | "by"> {
  const axes = draw(1, 2);
  const each = (low: number, high: number): number[] => Array.from({ length: axes }, () => draw(low, high));
  const [kernel, strides, dilations] = [each(1, 3), each(1, 3), each(1, 2)];
  const pads = [...each(0, 2), ...each(0, 2)];
  const groups = draw(1, 3);
  const [perGroup, filters] = [draw(1, 2), draw(1, 2)];
  const reach = kernel.map((size, axis) => (size - 1) * dilations[axis] + 1);
  // Large enough that something is left of it, whatever the padding of a transposed convolution cuts off.
  const sizes = reach.map((size, axis) =>
    transposed ? draw(2, 4) + pads[axis] + pads[axis + axes] : draw(size, size + 4),
  );
  const weights = transposed ? [perGroup * groups, filters, ...kernel] : [filters * groups, perGroup, ...kernel];
  const op = transposed ? "ConvTranspose" : "Conv";
  const bias = filters * groups;
  return {
    text: `y = ${op}(x, w, b) group=${groups} strides=[${strides}] dilations=[${dilations}] pads=[${pads}]`,
    by: { x: [draw(1, 2), perGroup * groups, ...sizes], w: weights, b: [bias] },
  };
}

function pooling(draw: Draw): Pick<GradientCase, "text" | "by"> {
  const kernel = [draw(1, 3), draw(1, 3)];
  const strides = [draw(1, 3), draw(1, 3)];
  const pads = [0, 1, 0, 1].map((axis) => draw(0, kernel[axis] - 1));
  const op = draw(0, 1) === 0 ? "MaxPool" : "AveragePool";
  const counted = op === "AveragePool" ? ` count_include_pad=${draw(0, 1)}` : "";
  return {
    text: `y = ${op}(x) kernel_shape=[${kernel}] strides=[${strides}] pads=[${pads}]${counted}`,
    by: { x: [draw(1, 2), draw(1, 2), draw(3, 6), draw(3, 6)] },
  };
}

function product(draw: Draw): Pick<GradientCase, "text" | "by"> {
  const batch = [draw(1, 3), draw(1, 2)];
  const lead = (): number[] => batch.slice(draw(0, 2)).map((size) => (draw(0, 3) === 0 ? 1 : size));
  const [rows, depth, columns] = [draw(1, 3), draw(1, 4), draw(1, 3)];
  return { text: "y = MatMul(a, b)", by: { a: [...lead(), rows, depth], b: [...lead(), depth, columns] } };
}

function broadcast(draw: Draw): Pick<GradientCase, "text" | "by"> {
  const full = [draw(1, 3), draw(1, 3), draw(1, 3)];
  const part = (): number[] => full.slice(draw(0, 3)).map((size) => (draw(0, 2) === 0 ? 1 : size));
  const op = ["Add", "Sub", "Mul", "Max", "Min"][draw(0, 4)];
  return { text: `y = ${op}(a, b)`, by: { a: part(), b: part() } };
}

/** The same cases for the same count. */
export function randomCases(count: number): GradientCase[] {
  const random = seededRandom("random gradients");
  const draw: Draw = (low, high) => low + Math.floor(random() * (high - low + 1));
  const kinds = [
    () => convolution(draw, false),
    () => convolution(draw, true),
    () => pooling(draw),
    () => product(draw),
    () => broadcast(draw),
  ];
  return Array.from({ length: count }, (_, index) => ({ name: `random ${index}`, ...kinds[index % kinds.length]() }));
}
