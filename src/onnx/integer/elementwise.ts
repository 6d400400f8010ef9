import { intAttr } from "../../ir/graph.ts";
import { interpolate } from "../../ops/shared/npu/requantize.ts";
import { centred, type Said, type Value } from "./emitter.ts";
import { emitPost, everyPosition } from "./post.ts";

const reachOf = ({ dtype }: Value) => (dtype === "int16" ? 32768 : 255);
const ONE = () => [];

export function sayAdd(said: Said): void {
  const { node } = said;
  const side = (index: number, letter: string) => {
    const factor = intAttr(node, `${letter}_multiplier`, 1);
    const value = centred(said, said.input(index).name, intAttr(node, `${letter}_zero`, 0));
    return {
      value: said.emit("Mul", [value, said.scalar("int64", factor)]),
      reach: reachOf(said.input(index)) * Math.abs(factor),
    };
  };
  const [a, b] = [side(0, "a"), side(1, "b")];
  const sum = said.emit("Add", [a.value, b.value]);
  emitPost(said, sum, { first: 2, shape: ONE, reach: a.reach + b.reach });
}

export function sayMul(said: Said): void {
  const { node } = said;
  const [a, b] = [said.input(0), said.input(1)];
  const left = centred(said, a.name, intAttr(node, "a_zero", 0));
  const right = centred(said, b.name, intAttr(node, "b_zero", 0));
  emitPost(said, said.emit("Mul", [left, right]), { first: 2, shape: ONE, reach: reachOf(a) * reachOf(b) });
}

export function sayRescale(said: Said): void {
  const x = said.input(0);
  const centredX = centred(said, x.name, intAttr(said.node, "x_zero", 0));
  emitPost(said, centredX, { first: 1, shape: ONE, reach: reachOf(x) * 2 });
}

export function sayTable(said: Said): void {
  const { output } = said;
  const x = said.input(0);
  const table = said.integers(1);
  const position = (half: number) => centred(said, x.name, -half);
  if (x.dtype === "int8") {
    const data = output.dtype === "int8" ? Int8Array.from(table) : Int16Array.from(table);
    const codes = said.constant({ dtype: output.dtype, shape: [256], data });
    said.emit("Gather", [codes, position(128)], {}, output.name);
    return;
  }
  const codes = everyPosition(said, "int16", (at) => interpolate(table, at));
  said.emit("Gather", [codes, position(32768)], {}, output.name);
}

/** Max and Min, in int32: ONNX Runtime has no kernel for narrower ones. */
export function sayExtreme(op: "Max" | "Min"): (said: Said) => void {
  return (said) => {
    const [a, b] = [0, 1].map((index) => said.cast(said.input(index).name, "int32"));
    said.cast(said.emit(op, [a, b]), said.output.dtype, said.output.name);
  };
}
