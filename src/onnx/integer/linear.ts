import { bug } from "../../error.ts";
import { elementCount, intAttr, intsAttr, type Tensor } from "../../ir/graph.ts";
import { numbersOf } from "../../ir/tensor.ts";
import { convolutionOf, transposedConvolutionOf } from "../../ops/shared/npu/convolution.ts";
import { productOf } from "../../ops/shared/npu/product.ts";
import { extentOf, forEachWindow, windowOf } from "../../ops/shared/window.ts";
import { alongAxis, largestMagnitude, type Said, type Value } from "./emitter.ts";
import { emitPost } from "./post.ts";
import { bytesOperand, type Operand, turnedWeightsAt, type Weights, weightOperand, weightsAt } from "./weights.ts";

/** The upper byte (signed, so with zero point 128) and the lower byte of an int16 tensor. */
function halves(said: Said, { name }: Value): readonly [Operand, Operand] {
  const raised = said.emit("Add", [said.cast(name, "int32"), said.scalar("int32", 32768)]);
  const bits = said.cast(raised, "uint32");
  const upper = said.emit("BitShift", [bits, said.scalar("uint32", 8)], { direction: { s: "RIGHT" } });
  const above = said.emit("Mul", [said.cast(upper, "int32"), said.scalar("int32", 256)]);
  return [
    { value: said.cast(upper, "uint8"), zero: said.scalar("uint8", 128) },
    { value: said.cast(said.emit("Sub", [raised, above]), "uint8"), zero: said.scalar("uint8", 0) },
  ];
}

/** Σ x·w in int64 by one product for 8-bit x, by two for 16-bit x: 256·upper + lower. */
function accumulate(said: Said, x: Value, zero: number, multiply: (operand: Operand) => string): string {
  if (x.dtype !== "int16") return said.cast(multiply(bytesOperand(said, x, zero)), "int64");
  if (zero !== 0) bug("16-bit codes have the zero point 0");
  const [upper, lower] = halves(said, x).map((operand) => said.cast(multiply(operand), "int64"));
  return said.emit("Add", [said.emit("Mul", [upper, said.scalar("int64", 256)]), lower]);
}

function addBias(said: Said, sum: string, bias: readonly number[], axis: number, rank: number): string {
  if (bias.every((value) => value === 0)) return sum;
  return said.emit("Add", [sum, said.int64(bias, alongAxis(bias, axis, rank))]);
}

const reachOf = (x: Value) => (x.dtype === "int16" ? 32768 : 255);

/** Largest |accumulator| of products along `depth` constant weights an output. */
function linearReach(x: Value, weights: Weights, depth: number, bias: readonly number[]): number {
  return reachOf(x) * weights.reach * depth + largestMagnitude(bias);
}

export function sayConv(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const { group, inputs, window } = convolutionOf(node, x, said.typeOf(1));
  const bias = said.integers(2);
  const weights = weightsAt(said, 1);
  const operand = weights.operand;
  const sum = accumulate(said, x, intAttr(node, "x_zero", 0), ({ value, zero }) =>
    said.emit("ConvInteger", [value, operand.value, zero, operand.zero], {
      group: { i: group },
      kernel_shape: { ints: window.kernel },
      strides: { ints: window.strides },
      dilations: { ints: window.dilations },
      pads: { ints: [...window.begin, ...window.end] },
    }),
  );
  const rank = output.shape.length;
  emitPost(said, addBias(said, sum, bias, 1, rank), {
    first: 3,
    shape: (count) => (count === 1 ? [] : Array.from({ length: rank }, (_, axis) => (axis === 1 ? count : 1))),
    reach: linearReach(x, weights, inputs * elementCount(window.kernel), bias),
  });
}

/** A convolution over the input with zeros put between its elements, with the kernel turned round. */
export function sayConvTranspose(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const { group, inputs, outputs, window } = transposedConvolutionOf(node, x, said.typeOf(1));
  const bias = said.integers(2);
  const weights = turnedWeightsAt(said, 1, { group, inputs, outputs, kernel: window.kernel });
  const operand = weights.operand;
  const { kernel, strides, dilations, begin } = window;
  const sizes = x.shape.slice(2);
  const before = kernel.map((size, axis) => extentOf(size, dilations[axis]) - 1 - begin[axis]);
  const after = kernel.map((size, axis) => {
    const reach = output.shape[axis + 2] + extentOf(size, dilations[axis]) - 1;
    return reach - sizes[axis] * strides[axis] - before[axis];
  });
  const sum = accumulate(said, x, intAttr(node, "x_zero", 0), ({ value, zero }) => {
    const apart = said.emit("Reshape", [
      value,
      said.int64([...x.shape.slice(0, 2), ...sizes.flatMap((size) => [size, 1])]),
    ]);
    const gaps = [0, 0, ...strides.flatMap((stride) => [0, stride - 1])];
    const stuffed = said.emit("Pad", [apart, said.int64([...gaps.map(() => 0), ...gaps]), zero]);
    const spread = said.int64([...x.shape.slice(0, 2), ...sizes.map((size, axis) => size * strides[axis])]);
    const flat = said.emit("Reshape", [stuffed, spread]);
    const padded = said.emit("Pad", [flat, said.int64([0, 0, ...before, 0, 0, ...after]), zero]);
    return said.emit("ConvInteger", [padded, operand.value, zero, operand.zero], {
      group: { i: group },
      kernel_shape: { ints: kernel },
      dilations: { ints: dilations },
    });
  });
  const rank = output.shape.length;
  emitPost(said, addBias(said, sum, bias, 1, rank), {
    first: 3,
    shape: (count) => (count === 1 ? [] : Array.from({ length: rank }, (_, axis) => (axis === 1 ? count : 1))),
    reach: linearReach(x, weights, inputs * elementCount(kernel), bias),
  });
}

export function sayMatMul(said: Said): void {
  const { node } = said;
  const [a, b] = [said.input(0), said.typeOf(1)];
  const { depth } = productOf(node, a.shape, b.shape);
  const bZero = intAttr(node, "b_zero", 0);
  const right = said.tensor(1)
    ? { ...weightsAt(said, 1).operand, zero: said.scalar("uint8", bZero + 128) }
    : bytesOperand(said, said.input(1), bZero);
  let sum = accumulate(said, a, intAttr(node, "a_zero", 0), ({ value, zero }) =>
    said.emit("MatMulInteger", [value, right.value, zero, right.zero]),
  );
  const bias = said.has(2) ? said.integers(2) : [0];
  const rank = said.output.shape.length;
  let reach = reachOf(a) * 255 * depth + largestMagnitude(bias);
  if (intAttr(node, "normalise", 0) === 1) {
    sum = divideByTotals(said, sum, a.name, b.shape.length === 1 ? 0 : 1);
    reach = 2 ** 24;
  } else sum = addBias(said, sum, bias, rank - 1, rank);
  emitPost(said, sum, {
    first: 3,
    shape: (count) => (count === 1 ? [] : [count]),
    reach,
  });
}

/** ⌊(acc·2^16 + (R >> 1)) / R⌋ with R the sum of the row's weights, made positive by 2^24·R, since |v| < 2^24. */
function divideByTotals(said: Said, sum: string, weights: string, keepdims: number): string {
  const int64 = (value: number) => said.scalar("int64", value);
  const totals = said.emit("ReduceSum", [said.cast(weights, "int64"), said.int64([-1])], { keepdims: { i: keepdims } });
  const divisor = said.emit("Max", [totals, int64(1)]);
  const half = said.emit("Div", [divisor, int64(2)]);
  const lift = said.emit("Add", [said.emit("Mul", [divisor, int64(2 ** 24)]), half]);
  const numerator = said.emit("Add", [said.emit("Mul", [sum, int64(65536)]), lift]);
  return said.emit("Sub", [said.emit("Div", [numerator, divisor]), int64(2 ** 24)]);
}

/** The sum of each window is a depthwise convolution with ones; what a window counts is known, and so is its multiplier. */
export function sayAveragePool(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const kernel = intsAttr(node, "kernel_shape") ?? bug("a pool has a kernel");
  const sizes = x.shape.slice(2);
  const window = windowOf(node, sizes, kernel);
  const channels = x.shape[1];
  const ones = weightOperand(said, new Array<number>(channels * elementCount(kernel)).fill(1), [
    channels,
    1,
    ...kernel,
  ]);
  const end = sizes.map((size, axis) => {
    const reach = (window.output[axis] - 1) * window.strides[axis] + extentOf(kernel[axis], window.dilations[axis]);
    return Math.max(0, reach - size - window.begin[axis]);
  });
  const sum = accumulate(said, x, intAttr(node, "x_zero", 0), ({ value, zero }) =>
    said.emit("ConvInteger", [value, ones.value, zero, ones.zero], {
      group: { i: channels },
      kernel_shape: { ints: kernel },
      strides: { ints: window.strides },
      dilations: { ints: window.dilations },
      pads: { ints: [...window.begin, ...end] },
    }),
  );
  const counts = countCells(said, sizes, window);
  const pick = (tensor: Tensor): Tensor => {
    const values = numbersOf(tensor);
    const data = counts.map((count) => values[values.length === 1 ? 0 : count - 1]);
    const shape = [counts.length];
    return tensor.dtype === "float32"
      ? { dtype: "float32", shape, data: Float32Array.from(data) }
      : { dtype: "int32", shape, data: Int32Array.from(data) };
  };
  emitPost(said, sum, {
    first: 1,
    shape: () => [1, 1, ...output.shape.slice(2)],
    reach: reachOf(x) * elementCount(kernel),
    constants: { multiplier: pick(said.tensor(1) as Tensor), shift: pick(said.tensor(2) as Tensor) },
  });
}

function countCells(said: Said, sizes: readonly number[], window: ReturnType<typeof windowOf>): number[] {
  const countsPadding = intAttr(said.node, "count_include_pad", 0) === 1;
  const counts: number[] = [];
  forEachWindow(sizes, window, (_, taps, start) => {
    const inside = taps.reduce((sum, tap) => sum + (tap >= 0 ? 1 : 0), 0);
    const padded = sizes.reduce((cells, size, axis) => {
      const steps = Array.from({ length: window.kernel[axis] }, (_, tap) => start[axis] + tap * window.dilations[axis]);
      return cells * steps.filter((at) => at < size + window.end[axis]).length;
    }, 1);
    counts.push(Math.max(1, countsPadding ? padded : inside));
  });
  return counts;
}
