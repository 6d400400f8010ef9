import { bug } from "../../error.ts";
import { elementCount, intAttr } from "../../ir/graph.ts";
import { numbersOf } from "../../ir/tensor.ts";
import { largestMagnitude, type Said, type Value } from "./emitter.ts";

/** Eight bits of an operand as ONNX Runtime multiplies them exactly on every CPU: uint8 with a zero point. */
export interface Operand {
  readonly value: string;
  readonly zero: string;
}

/** An int8 tensor and its zero point, both shifted by 128; uint8 as it is. */
export function bytesOperand(said: Said, { name, dtype }: Pick<Value, "name" | "dtype">, zero: number): Operand {
  if (dtype === "uint8") return { value: name, zero: said.scalar("uint8", zero) };
  const shifted = said.emit("Add", [said.cast(name, "int32"), said.scalar("int32", 128)]);
  return { value: said.cast(shifted, "uint8"), zero: said.scalar("uint8", zero + 128) };
}

/** int8 weights as uint8 with zero point 128. */
export function weightOperand(said: Said, values: ArrayLike<number>, shape: readonly number[]): Operand {
  const data = Uint8Array.from(values, (code) => code + 128);
  return { value: said.constant({ dtype: "uint8", shape, data }), zero: said.scalar("uint8", 128) };
}

/** Weights of a linear operator, and their largest magnitude. */
export interface Weights {
  readonly operand: Operand;
  readonly reach: number;
}

/** What the unpacker saturates to. */
const UNPACKED_REACH = 127;

/** Constants are shifted here; what comes out of UnpackWeights is shifted where it is computed. */
export function weightsAt(said: Said, index: number): Weights {
  const constant = said.tensor(index);
  if (!constant) return { operand: bytesOperand(said, said.input(index), 0), reach: UNPACKED_REACH };
  const values = numbersOf(constant);
  return { operand: weightOperand(said, values, constant.shape), reach: largestMagnitude(values) };
}

interface Turned {
  readonly group: number;
  /** Of a group. */
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: readonly number[];
}

/** Weights of a transposed convolution, [C, O/group, taps], as those of a convolution: [O, C/group, taps reversed]. */
export function turnedWeightsAt(said: Said, index: number, { group, inputs, outputs, kernel }: Turned): Weights {
  const shape = [group * outputs, inputs, ...kernel];
  const taps = elementCount(kernel);
  const constant = said.tensor(index);
  if (constant) {
    const turned = turnKernel(numbersOf(constant), group, inputs, outputs, taps);
    return { operand: weightOperand(said, turned, shape), reach: largestMagnitude(turned) };
  }
  const { name, dtype } = said.input(index);
  const apart = said.emit("Reshape", [name, said.int64([group, inputs, outputs, taps])]);
  const swapped = said.emit("Transpose", [apart], { perm: { ints: [0, 2, 1, 3] } });
  const backwards = said.int64(Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
  const reversed = said.emit("Gather", [swapped, backwards], { axis: { i: 3 } });
  const turned = said.emit("Reshape", [reversed, said.int64(shape)]);
  return { operand: bytesOperand(said, { name: turned, dtype }, 0), reach: UNPACKED_REACH };
}

function turnKernel(w: readonly number[], group: number, inputs: number, outputs: number, taps: number): number[] {
  const turned: number[] = [];
  for (let channel = 0; channel < group * outputs; channel++) {
    const first = Math.floor(channel / outputs) * inputs;
    for (let input = 0; input < inputs; input++) {
      const kernel = ((first + input) * outputs + (channel % outputs)) * taps;
      for (let tap = taps - 1; tap >= 0; tap--) turned.push(w[kernel + tap]);
    }
  }
  return turned;
}

/** Codes times the multiplier of their block: [channels, elements of a channel], laid as the weights are. */
export function sayUnpackWeights(said: Said): void {
  const { node, output } = said;
  const { shape } = output;
  const codes = said.cast(said.input(0).name, "int32");
  if (!said.has(1)) {
    said.cast(codes, "int8", output.name);
    return;
  }
  const [axis, block] = [intAttr(node, "axis", 0), intAttr(node, "block", 0)];
  const channels = shape[axis] ?? bug(`there is no axis ${axis}`);
  const [outer, inner] = [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis + 1))];
  const blocks = said.int64(Array.from({ length: outer * inner }, (_, at) => Math.floor(at / block)));
  const each = said.emit("Gather", [said.cast(said.input(1).name, "int32"), blocks], { axis: { i: 1 } });
  const apart = said.emit("Reshape", [each, said.int64([channels, outer, inner])]);
  const laid = said.emit("Transpose", [apart], { perm: { ints: [1, 0, 2] } });
  const product = said.emit("Mul", [codes, said.emit("Reshape", [laid, said.int64(shape)])]);
  const least = said.emit("Max", [product, said.scalar("int32", -UNPACKED_REACH)]);
  said.cast(said.emit("Min", [least, said.scalar("int32", UNPACKED_REACH)]), "int8", output.name);
}
