import { type Attr, intAttr, intsAttr, stringAttr } from "../../ir/graph.ts";
import { axisAttr } from "../../ops/shared/types.ts";
import type { Said } from "./emitter.ts";

/** An operator that ONNX has with the same meaning. */
function same(op: string, attributes: (said: Said) => Readonly<Record<string, Attr | undefined>> = () => ({})) {
  return (said: Said): void => {
    const inputs = said.node.inputs.map((_, index) => said.input(index).name);
    said.emit(op, inputs, attributes(said), said.output.name);
  };
}

export const sayConcat = same("Concat", ({ node }) => ({ axis: { i: intAttr(node, "axis", 0) } }));

export const sayTranspose = same("Transpose", ({ node }) => {
  const perm = intsAttr(node, "perm");
  return { perm: perm && { ints: perm } };
});

export function sayReshape(said: Said): void {
  said.emit("Reshape", [said.input(0).name, said.int64(said.output.shape)], {}, said.output.name);
}

export function sayExpand(said: Said): void {
  said.emit("Expand", [said.input(0).name, said.int64(said.output.shape)], {}, said.output.name);
}

/** `end` −1 of a negative step means before the first, which ONNX says with a number below every index. */
export function saySlice(said: Said): void {
  const { node } = said;
  const starts = intsAttr(node, "starts") ?? [];
  const steps = intsAttr(node, "steps") ?? starts.map(() => 1);
  const ends = (intsAttr(node, "ends") ?? []).map((end) => (end < 0 ? -(2 ** 31) : end));
  const axes = intsAttr(node, "axes") ?? starts.map((_, axis) => axis);
  const lists = [starts, ends, axes, steps].map((list) => said.int64(list));
  said.emit("Slice", [said.input(0).name, ...lists], {}, said.output.name);
}

/** In int32: ONNX Runtime pads no int16. */
export function sayPad(said: Said): void {
  const { node, output } = said;
  const mode = stringAttr(node, "mode", "constant");
  const pads = said.int64(intsAttr(node, "pads") ?? []);
  const inputs = [said.cast(said.input(0).name, "int32"), pads];
  if (mode === "constant") inputs.push(said.scalar("int32", intAttr(node, "value", 0)));
  said.cast(said.emit("Pad", inputs, { mode: { s: mode } }), output.dtype, output.name);
}

/** Indices count from the end where they are negative, and are clamped to the ends. */
export function sayGather(said: Said): void {
  const { node, output } = said;
  const x = said.input(0);
  const axis = axisAttr(node, x.shape.length, 0);
  const size = x.shape[axis];
  const int64 = (value: number) => said.scalar("int64", value);
  const given = said.cast(said.input(1).name, "int64");
  const fromEnd = said.emit("Add", [given, int64(size)]);
  const resolved = said.emit("Where", [said.emit("Less", [given, int64(0)]), fromEnd, given]);
  const clamped = said.emit("Clip", [resolved, int64(0), int64(size - 1)]);
  said.emit("Gather", [x.name, clamped], { axis: { i: axis } }, output.name);
}

/** Row i of the update stands at index + i of the past: what this is of the longer axis is said for every element. */
export function sayTensorScatter(said: Said): void {
  const { node, output } = said;
  const [past, update] = [said.input(0), said.input(1)];
  const axis = axisAttr(node, past.shape.length, -2);
  const [size, rows] = [past.shape[axis], update.shape[axis]];
  const given = said.cast(said.input(2).name, "int64");
  const circular = stringAttr(node, "mode", "linear") === "circular";
  const int64 = (value: number) => said.scalar("int64", value);
  const first = circular ? given : said.emit("Clip", [given, int64(0), int64(size - rows)]);
  const perBatch = said.emit("Reshape", [first, said.int64(past.shape.map((length, at) => (at === 0 ? length : 1)))]);
  const steps = said.emit("Reshape", [
    said.int64(Array.from({ length: rows }, (_, row) => row)),
    said.int64(past.shape.map((_, at) => (at === axis ? rows : 1))),
  ]);
  const turned = said.emit("Mod", [said.emit("Add", [perBatch, steps]), int64(size)]);
  const everywhere = said.emit("Expand", [turned, said.int64(update.shape)]);
  said.emit("ScatterElements", [past.name, everywhere, update.name], { axis: { i: axis } }, output.name);
}

/** Two codes a byte: 16·((late + 16) mod 16) + (early + 16) mod 16, each clamped to 4 bits first. */
export function sayPackNibbles(said: Said): void {
  const { output } = said;
  const limits = [said.scalar("int64", -8), said.scalar("int64", 7)];
  const codes = said.emit("Clip", [said.cast(said.input(0).name, "int64"), ...limits]);
  const halves = said.emit("Mod", [codes, said.scalar("int64", 16)]);
  const pairs = said.emit("Reshape", [halves, said.int64([...output.shape, 2])]);
  const worth = said.emit("Mul", [pairs, said.int64([1, 16])]);
  said.cast(said.emit("ReduceSum", [worth, said.int64([-1])], { keepdims: { i: 0 } }), "uint8", output.name);
}

/** h = ⌊byte / (1, 16)⌋ mod 16 of each byte, and (h + 8) mod 16 − 8 of each half. */
export function sayUnpackNibbles(said: Said): void {
  const { output } = said;
  const x = said.input(0);
  const sixteen = said.scalar("int64", 16);
  const apart = said.emit("Reshape", [said.cast(x.name, "int64"), said.int64([...x.shape, 1])]);
  const halves = said.emit("Mod", [said.emit("Div", [apart, said.int64([1, 16])]), sixteen]);
  const turned = said.emit("Mod", [said.emit("Add", [halves, said.scalar("int64", 8)]), sixteen]);
  const codes = said.emit("Sub", [turned, said.scalar("int64", 8)]);
  said.cast(said.emit("Reshape", [codes, said.int64(output.shape)]), "int8", output.name);
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

export function sayCast(said: Said): void {
  const { output } = said;
  const [low, high] = RANGES[output.dtype];
  const limits = [said.scalar("int64", low), said.scalar("int64", high)];
  const clipped = said.emit("Clip", [said.cast(said.input(0).name, "int64"), ...limits]);
  said.cast(clipped, output.dtype, output.name);
}
