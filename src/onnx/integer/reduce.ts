import { bug } from "../../error.ts";
import { elementCount, intAttr, intsAttr } from "../../ir/graph.ts";
import { ROOT_BITS } from "../../ops/shared/npu/root.ts";
import { axisAttr } from "../../ops/shared/types.ts";
import { windowOf } from "../../ops/shared/window.ts";
import { centred, type Said } from "./emitter.ts";
import { emitPost } from "./post.ts";

export function sayReduceSum(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const centredX = centred(said, x.name, intAttr(node, "x_zero", 0));
  const axes = intsAttr(node, "axes");
  const inputs = axes ? [centredX, said.int64(axes)] : [centredX];
  const sum = said.emit("ReduceSum", inputs, { keepdims: { i: intAttr(node, "keepdims", 1) } });
  const size = elementCount(x.shape) / elementCount(output.shape);
  emitPost(said, sum, { first: 1, shape: () => [], reach: size * (x.dtype === "int16" ? 32768 : 255) });
}

/** Q·2^20 is an integer below 2^52, so that the root in float64 has the true integer part. */
export function sayReduceL2(said: Said): void {
  const { node } = said;
  const u = centred(said, said.input(0).name, intAttr(node, "x_zero", 0));
  const squares = said.emit("Mul", [u, u]);
  const axes = intsAttr(node, "axes");
  const inputs = axes ? [squares, said.int64(axes)] : [squares];
  const sum = said.emit("ReduceSum", inputs, { keepdims: { i: intAttr(node, "keepdims", 1) } });
  const raised = said.emit("Mul", [sum, said.scalar("int64", 2 ** (2 * ROOT_BITS))]);
  const root = said.emit("Floor", [said.emit("Sqrt", [said.cast(raised, "float64")])]);
  emitPost(said, said.cast(root, "int64"), { first: 1, shape: () => [], reach: 2 ** 26, wide: true });
}

export function sayReduceExtreme(op: "ReduceMax" | "ReduceMin"): (said: Said) => void {
  return (said) => {
    const { node, output } = said;
    const axes = intsAttr(node, "axes");
    const wide = said.cast(said.input(0).name, "int32");
    const inputs = axes ? [wide, said.int64(axes)] : [wide];
    const found = said.emit(op, inputs, { keepdims: { i: intAttr(node, "keepdims", 1) } });
    said.cast(found, output.dtype, output.name);
  };
}

/** The second largest is the largest once all of the largest are out of the way; where they were several, nothing is left. */
export function sayReduceMargin(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const axis = said.int64(intsAttr(node, "axes") ?? []);
  const int32 = (value: number) => said.scalar("int32", value);
  const wide = said.cast(x.name, "int32");
  const top = said.emit("ReduceMax", [wide, axis]);
  const isTop = said.cast(said.emit("Equal", [wide, top]), "int32");
  const others = said.emit("Sub", [wide, said.emit("Mul", [isTop, int32(2 ** 17)])]);
  const apart = said.emit("Sub", [top, said.emit("ReduceMax", [others, axis])]);
  const alone = said.cast(said.emit("Equal", [said.emit("ReduceSum", [isTop, axis]), int32(1)]), "int32");
  let margin = said.emit("Mul", [said.emit("Min", [apart, int32(32_767)]), alone]);
  if (intAttr(node, "ctc", 0) === 1) {
    const [given] = intsAttr(node, "axes") ?? [];
    const first = said.emit("Gather", [isTop, said.int64([0])], { axis: { i: given } });
    const isCharacter = said.emit("Sub", [int32(1), first]);
    margin = said.emit("Sub", [margin, said.emit("Mul", [isCharacter, int32(32_768)])]);
  }
  said.emit("Reshape", [said.cast(margin, output.dtype), said.int64(output.shape)], {}, output.name);
}

/** In float32, which holds every code exactly; padding is minus infinity there. */
export function sayMaxPool(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const kernel = intsAttr(node, "kernel_shape") ?? bug("a pool has a kernel");
  const window = windowOf(node, x.shape.slice(2), kernel);
  const largest = said.emit("MaxPool", [said.cast(x.name, "float32")], {
    kernel_shape: { ints: kernel },
    strides: { ints: window.strides },
    dilations: { ints: window.dilations },
    pads: { ints: [...window.begin, ...window.end] },
    ceil_mode: { i: intAttr(node, "ceil_mode", 0) },
  });
  const least = x.dtype === "int8" ? -128 : -32768;
  said.cast(said.emit("Max", [largest, said.scalar("float32", least)]), output.dtype, output.name);
}

export function saySoftmax(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const axis = said.int64([axisAttr(node, x.shape.length, -1)]);
  const int64 = (value: number) => said.scalar("int64", value);
  const wide = said.cast(x.name, "int64");
  const distance = said.emit("Sub", [said.emit("ReduceMax", [wide, axis]), wide]);
  const table = said.integers(1);
  const entries = (values: readonly number[], at: string) => said.emit("Gather", [said.int64(values), at]);
  let power: string;
  if (x.dtype === "int8") power = entries(table, distance);
  else {
    const upper = said.emit("Div", [distance, int64(256)]);
    const lower = said.emit("Sub", [distance, said.emit("Mul", [upper, int64(256)])]);
    const both = said.emit("Mul", [entries(table.slice(0, 256), upper), entries(table.slice(256), lower)]);
    power = said.emit("Div", [said.emit("Add", [both, int64(2 ** 14)]), int64(2 ** 15)]);
  }
  if (output.dtype === "uint8") {
    const rounded = said.emit("Add", [said.emit("Mul", [power, int64(255)]), int64(2 ** 14)]);
    said.cast(said.emit("Div", [rounded, int64(2 ** 15)]), "uint8", output.name);
    return;
  }
  const [unit, most, zero] = output.dtype === "int8" ? [2 ** 8, 255, 128] : [2 ** 15, 32767, 0];
  const total = said.emit("ReduceSum", [power, axis]);
  const half = said.emit("Div", [total, int64(2)]);
  const numerator = said.emit("Add", [said.emit("Mul", [power, int64(unit)]), half]);
  const quotient = said.emit("Min", [said.emit("Div", [numerator, total]), int64(most)]);
  said.cast(said.emit("Sub", [quotient, int64(zero)]), output.dtype, output.name);
}

/** The doublings p that bring V to 2^50 are counted; the root of an integer below 2^52 is exact in float64. */
export function sayLayerNorm(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const n = elementCount(x.shape.slice(axisAttr(node, x.shape.length, -1)));
  const int64 = (value: number | bigint) => said.scalar("int64", value);
  const rows = said.emit("Reshape", [x.name, said.int64([-1, n])]);
  const u = centred(said, rows, intAttr(node, "x_zero", 0));
  const last = said.int64([-1]);
  const squares = said.emit("ReduceSum", [said.emit("Mul", [u, u]), last]);
  let centre = said.emit("Mul", [u, int64(n)]);
  let spread = said.emit("Mul", [squares, int64(n)]);
  if (intAttr(node, "center", 1) === 1) {
    const sum = said.emit("ReduceSum", [u, last]);
    centre = said.emit("Sub", [centre, sum]);
    spread = said.emit("Sub", [spread, said.emit("Mul", [sum, sum])]);
  }
  const variance = said.emit("Add", [spread, int64(intAttr(node, "epsilon", 1))]);
  const thresholds = said.int64(Array.from({ length: 25 }, (_, index) => 2n ** BigInt(50 - 2 * index)));
  const below = said.cast(said.emit("Less", [variance, thresholds]), "int64");
  const doublings = said.emit("ReduceSum", [below, last]);
  const fours = said.int64(Array.from({ length: 26 }, (_, p) => 4n ** BigInt(p)));
  const twos = said.int64(Array.from({ length: 26 }, (_, p) => 2n ** BigInt(p + 12)));
  const scaled = said.emit("Mul", [variance, said.emit("Gather", [fours, doublings])]);
  const root = said.cast(said.emit("Floor", [said.emit("Sqrt", [said.cast(scaled, "float64")])]), "int64");
  const half = said.emit("Div", [root, int64(2)]);
  // |t| ≤ √n·2^12 + 1, so 2^30·r makes every numerator positive and stays below 2^57.
  const lift = said.emit("Add", [said.emit("Mul", [root, int64(2 ** 30)]), half]);
  const raised = said.emit("Add", [said.emit("Mul", [centre, said.emit("Gather", [twos, doublings])]), lift]);
  const t = said.emit("Sub", [said.emit("Div", [raised, root]), int64(2 ** 30)]);
  const gamma = said.integers(1);
  const beta = said.integers(2);
  const scaledUp = said.emit("Mul", [t, said.int64(gamma, gamma.length === 1 ? [] : [n])]);
  const v = said.emit("Add", [scaledUp, said.int64(beta, beta.length === 1 ? [] : [n])]);
  emitPost(said, said.emit("Reshape", [v, said.int64(output.shape)]), {
    first: 3,
    shape: () => [],
    reach: 2 ** 38,
    wide: true,
  });
}
