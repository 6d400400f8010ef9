/** What the `npu` operators share: types and values are read as codes, whatever they stand for, and shapes are static. */
import {
  type DType,
  elementCount,
  isStatic,
  type Node,
  type RuntimeValue,
  type Tensor,
  type Type,
} from "../../../ir/graph.ts";
import { allocate, numbersOf } from "../../../ir/tensor.ts";
import type { Op } from "../../op.ts";
import { broadcastOffsets, broadcastShapes } from "../index.ts";
import { nameOfInput, reject } from "../types.ts";
import { optionalTensorAt, tensorAt } from "../values.ts";
import { codeRange, type PostStageInputs } from "./requantize.ts";

export const CODES: readonly DType[] = ["int8", "int16", "uint8", "int32"];
export const ACTIVATIONS: readonly DType[] = ["int8", "int16"];

export interface CodeType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The storage type of a required input. Throws model/invalid-node where it is missing, symbolic or of another dtype. */
export function codeType(
  node: Node,
  inputs: readonly (Type | undefined)[],
  index: number,
  allowed: readonly DType[] = CODES,
): CodeType {
  const type = inputs[index];
  if (type === undefined) return reject(node, `${nameOfInput(node, index)} is missing or has no known type`);
  if (!allowed.includes(type.dtype)) {
    reject(node, `${nameOfInput(node, index)} is ${type.dtype}; npu.${node.op} takes ${allowed.join(", ")}`);
  }
  if (!isStatic(type.shape)) return reject(node, `${nameOfInput(node, index)} has no static shape`);
  return { dtype: type.dtype, shape: type.shape };
}

/** The codes of a required input as plain numbers, with their shape. */
export interface Codes {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export function codesAt(node: Node, inputs: readonly RuntimeValue[], index: number): Codes {
  const tensor = tensorAt(node, inputs, index);
  return { dtype: tensor.dtype, shape: tensor.shape, values: numbersOf(tensor) };
}

/** Codes from a function of the position; they must lie in the dtype's range already. */
export function makeCodes(dtype: DType, shape: readonly number[], compute: (position: number) => number): Tensor {
  const data = allocate(dtype, elementCount(shape)) as Int32Array;
  for (let position = 0; position < data.length; position++) data[position] = compute(position);
  return { dtype, shape, data };
}

/** The post stage's constants: multiplier, shift, table, table_multiplier and table_shift, from input `first` on. */
export function postInputs(node: Node, inputs: readonly RuntimeValue[], first: number): PostStageInputs {
  const knots = optionalTensorAt(node, inputs, first + 2);
  return {
    multiplier: tensorAt(node, inputs, first),
    shift: tensorAt(node, inputs, first + 1),
    table: knots && {
      knots,
      multiplier: tensorAt(node, inputs, first + 3),
      shift: tensorAt(node, inputs, first + 4),
    },
  };
}

/**
 * Throws unless the post stage's constants, from input `first` on, fit an operator of so many channels: one element or one
 * a channel (one shift may serve many multipliers); int32 behind the table, and there exactly where a table of 513 int16
 * samples is.
 */
export function requirePost(node: Node, inputs: readonly (Type | undefined)[], first: number, channels: number): void {
  const [table, ...rescale] = [first + 2, first + 3, first + 4];
  const hasTable = Boolean(node.inputs[table]);
  for (const index of rescale) {
    if (Boolean(node.inputs[index]) !== hasTable) {
      reject(node, "table_multiplier and table_shift are there exactly when the table is");
    }
    if (hasTable) codeType(node, inputs, index, ["int32"]);
  }
  if (hasTable && elementCount(codeType(node, inputs, table, ["int16"]).shape) !== 513) {
    reject(node, `${nameOfInput(node, table)} has not 513 elements`);
  }
  for (const index of [first, first + 1, ...rescale]) requireChannels(node, inputs, index, channels);
  for (const multiplier of [first, first + 3]) {
    const shift = inputs[multiplier + 1]?.shape;
    if (isStatic(shift) && elementCount(shift) > 1 && elementCount(inputs[multiplier]?.shape as number[]) === 1) {
      reject(node, `${nameOfInput(node, multiplier + 1)} has more elements than its multiplier`);
    }
  }
}

/** The type of an output that the post stage stores. */
export function storedType(node: Node, shape: readonly number[]): Type {
  return { dtype: codeRange(node).dtype, shape };
}

/** Throws unless input `index`, where present, has one element or `channels`. */
export function requireChannels(
  node: Node,
  inputs: readonly (Type | undefined)[],
  index: number,
  channels: number,
): void {
  const type = inputs[index];
  if (type === undefined) return;
  const count = isStatic(type.shape) ? elementCount(type.shape) : undefined;
  if (count !== 1 && count !== channels) {
    reject(node, `${nameOfInput(node, index)} has ${count ?? "unknown many"} elements; 1 or ${channels} are needed`);
  }
}

/** An operator that combines the codes of two broadcast inputs; `rule` is asked once a node. */
export function broadcastCodes(
  rule: (node: Node, inputs: readonly RuntimeValue[]) => (a: number, b: number) => number,
  outputType: (node: Node, a: CodeType, shape: readonly number[]) => Type,
  check?: (node: Node, inputs: readonly (Type | undefined)[]) => void,
): Op {
  return {
    infer(node, inputs) {
      const [a, b] = [codeType(node, inputs, 0), codeType(node, inputs, 1)];
      check?.(node, inputs);
      return [outputType(node, a, broadcastShapes(node, [a.shape, b.shape]))];
    },
    evaluate(node, inputs) {
      const [a, b] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1)];
      const shape = broadcastShapes(node, [a.shape, b.shape]);
      const [left, right] = [broadcastOffsets(a.shape, shape), broadcastOffsets(b.shape, shape)];
      const combine = rule(node, inputs);
      const { dtype } = outputType(node, a, shape);
      return [makeCodes(dtype, shape, (at) => combine(a.values[left[at]], b.values[right[at]]))];
    },
  };
}
