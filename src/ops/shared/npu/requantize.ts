/**
 * From an accumulator to a code: docs/integer-semantics.md, "Requantization" and "The post stage". BigInt wherever a
 * product may leave 2^53, so that the formulas stand here as they stand there.
 */

import { CompileError } from "../../../error.ts";
import { intAttr, type Node, stringAttr, type Tensor } from "../../../ir/graph.ts";
import { roundHalfEven } from "../../../ir/numbers.ts";
import { numbersOf } from "../../../ir/tensor.ts";
import { nameOfNode } from "../types.ts";

export const ROUNDINGS = ["tosa-single", "tosa-double", "ort-f32-rne"] as const;
export type Rounding = (typeof ROUNDINGS)[number];

/** The node's `round` attribute; `tosa-single` where absent. Throws model/invalid-node for another name. */
export function roundingOf(node: Node): Rounding {
  const name = stringAttr(node, "round", "tosa-single");
  const known = ROUNDINGS.find((rounding) => rounding === name);
  if (known) return known;
  throw new CompileError("model/invalid-node", `the rounding "${name}" is not one of ${ROUNDINGS.join(", ")}`, {
    where: nameOfNode(node),
  });
}

/** (v·m + 2^(s−1)) >> s: TOSA's apply_scale_32 without double rounding; also the wide form with m < 2^15, |v| < 2^38. */
export function requantizeSingle(value: number, multiplier: number, shift: number): number {
  return Number((BigInt(value) * BigInt(multiplier) + (1n << BigInt(shift - 1))) >> BigInt(shift));
}

/** TOSA's apply_scale_32 with double_round: ± 2^30 by the sign of v before the shift, if s > 31. */
export function requantizeDouble(value: number, multiplier: number, shift: number): number {
  const nudge = shift > 31 ? (value >= 0 ? 1n << 30n : -(1n << 30n)) : 0n;
  return Number((BigInt(value) * BigInt(multiplier) + (1n << BigInt(shift - 1)) + nudge) >> BigInt(shift));
}

/** rint(fround(fround(v)·m)), ties to even, as MLAS does; `low` and `high` bound the product before it is rounded. */
export function requantizeFloat(value: number, multiplier: number, low: number, high: number): number {
  return roundHalfEven(clamp(Math.fround(Math.fround(value) * multiplier), low, high));
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** ⌊a / b⌋ for b > 0. */
export function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

/** Value of a function given by 513 int16 samples at an int16 position: linear between samples, rounded half up. */
export function interpolate(table: ArrayLike<number>, position: number): number {
  const index = (position + 32768) >> 7;
  const fraction = (position + 32768) & 127;
  return table[index] + (((table[index + 1] - table[index]) * fraction + 64) >> 7);
}

/** Constants of the post stage, each requantization's of one element or one an output channel. */
export interface PostStageInputs {
  readonly multiplier: Tensor;
  readonly shift: Tensor;
  /** The activation's table and the requantization of its samples, where one rides on the operator. */
  readonly table?: { readonly knots: Tensor; readonly multiplier: Tensor; readonly shift: Tensor } | undefined;
}

/** The range of codes that the node may store: `y_min` and `y_max`, by default all of `y_dtype`. */
export function codeRange(node: Node): { dtype: "int8" | "int16"; low: number; high: number } {
  const dtype = stringAttr(node, "y_dtype", "int8");
  if (dtype !== "int8" && dtype !== "int16") {
    throw new CompileError("model/invalid-node", `y_dtype is "${dtype}"; int8 or int16 is needed`, {
      where: nameOfNode(node),
    });
  }
  const half = dtype === "int8" ? 128 : 32768;
  return { dtype, low: intAttr(node, "y_min", -half), high: intAttr(node, "y_max", half - 1) };
}

/** The post stage as a function of the accumulator and its channel (index into multiplier and shift). */
export function postStage(node: Node, inputs: PostStageInputs): (value: number, channel: number) => number {
  const rounding = roundingOf(node);
  const wide = intAttr(node, "wide", 0) === 1;
  const zero = intAttr(node, "y_zero", 0);
  const { low, high } = codeRange(node);
  const multipliers = numbersOf(inputs.multiplier);
  const shifts = numbersOf(inputs.shift);
  const at = (list: readonly number[], channel: number) => list[list.length === 1 ? 0 : channel];

  const table = inputs.table && numbersOf(inputs.table.knots);
  const bounds = table ? { low: -32768, high: 32767 } : { low: low - zero, high: high - zero };
  const requantize = (value: number, channel: number): number => {
    const multiplier = at(multipliers, channel);
    if (!wide && rounding === "ort-f32-rne") return requantizeFloat(value, multiplier, bounds.low, bounds.high);
    const shift = at(shifts, channel);
    return !wide && rounding === "tosa-double"
      ? requantizeDouble(value, multiplier, shift)
      : requantizeSingle(value, multiplier, shift);
  };
  if (!inputs.table || !table) return (value, channel) => clamp(requantize(value, channel) + zero, low, high);

  const tableMultipliers = numbersOf(inputs.table.multiplier);
  const tableShifts = numbersOf(inputs.table.shift);
  return (value, channel) => {
    const sample = interpolate(table, clamp(requantize(value, channel), -32768, 32767));
    const scaled = requantizeSingle(sample, at(tableMultipliers, channel), at(tableShifts, channel));
    return clamp(scaled + zero, low, high);
  };
}
