import { elementCount, intAttr, type Tensor } from "../../ir/graph.ts";
import { numbersOf } from "../../ir/tensor.ts";
import { clamp, codeRange, interpolate, requantizeSingle, roundingOf } from "../../ops/shared/npu/requantize.ts";
import { largestMagnitude, type Said } from "./emitter.ts";

/** Where the constants of the post stage lie and how they spread over the accumulators. */
export interface PostOptions {
  /** Input index of `multiplier`; shift, table, table_multiplier and table_shift follow. */
  readonly first: number;
  /** Shape that multiplier and shift take, so that they broadcast with the accumulators; a scalar where they are one. */
  readonly shape: (count: number) => readonly number[];
  /** |v| of every accumulator is at most this. */
  readonly reach: number;
  readonly wide?: boolean;
  /** multiplier and shift, where they are not simply the inputs (AveragePool's, chosen by position). */
  readonly constants?: { readonly multiplier: Tensor; readonly shift: Tensor };
}

/** Two's power that makes every sum positive, so that an unsigned shift is a floor. */
const OFFSET = 2n ** 62n;
const NUDGE = 2n ** 30n;

/** From int64 accumulators to the node's output. */
export function emitPost(said: Said, accumulator: string, options: PostOptions): void {
  const { node, output } = said;
  const zero = intAttr(node, "y_zero", 0);
  const { low, high } = codeRange(node);
  const table = said.has(options.first + 2) ? said.integers(options.first + 2) : undefined;
  const wide = options.wide ?? intAttr(node, "wide", 0) === 1;
  const float = !wide && roundingOf(node) === "ort-f32-rne";
  const bounds = table ? [-32768, 32767] : [low - zero, high - zero];
  const scaled = float
    ? emitFloat(said, accumulator, options, bounds)
    : emitShift(said, accumulator, options, wide ? "tosa-single" : roundingOf(node));
  if (!table) {
    const shifted = zero === 0 ? scaled : said.emit("Add", [scaled, said.scalar("int64", zero)]);
    said.cast(emitClip(said, shifted, low, high), output.dtype, output.name);
    return;
  }
  const position = said.emit("Add", [emitClip(said, scaled, -32768, 32767), said.scalar("int64", 32768)]);
  const multiplier = said.tensor(options.first + 3) as Tensor;
  const shift = said.tensor(options.first + 4) as Tensor;
  if (elementCount(multiplier.shape) === 1) {
    const [[m], [s]] = [numbersOf(multiplier), numbersOf(shift)];
    const codeAt = (at: number) => clamp(requantizeSingle(interpolate(table, at), m, s) + zero, low, high);
    said.emit("Gather", [everyPosition(said, output.dtype, codeAt), position], {}, output.name);
    return;
  }
  const sample = said.emit("Gather", [everyPosition(said, "int16", (at) => interpolate(table, at)), position]);
  const stage = { first: options.first, shape: options.shape, reach: 32768, constants: { multiplier, shift } };
  const code = emitShift(said, said.cast(sample, "int64"), stage, "tosa-single");
  const moved = zero === 0 ? code : said.emit("Add", [code, said.scalar("int64", zero)]);
  said.cast(emitClip(said, moved, low, high), output.dtype, output.name);
}

/** A function of an int16 position, written out: 65,536 codes. */
export function everyPosition(said: Said, dtype: string, codeAt: (position: number) => number): string {
  const length = 65536;
  const data = dtype === "int8" ? new Int8Array(length) : new Int16Array(length);
  for (let index = 0; index < length; index++) data[index] = codeAt(index - 32768);
  return said.constant({ dtype: dtype === "int8" ? "int8" : "int16", shape: [length], data });
}

export function emitClip(said: Said, value: string, low: number, high: number): string {
  return said.emit("Clip", [value, said.scalar("int64", low), said.scalar("int64", high)]);
}

function constantsOf(said: Said, { first, constants }: PostOptions): { multiplier: Tensor; shift: Tensor } {
  return constants ?? { multiplier: said.tensor(first) as Tensor, shift: said.tensor(first + 1) as Tensor };
}

/** rint(float32(v)·m); the products are clamped before they are rounded, as MLAS does. */
function emitFloat(said: Said, accumulator: string, options: PostOptions, [low, high]: readonly number[]): string {
  const { multiplier } = constantsOf(said, options);
  const factors = Float32Array.from(numbersOf(multiplier));
  const shape = options.shape(factors.length);
  // Through int32, whose conversion rounds once; every accumulator fits.
  const real = said.cast(said.cast(accumulator, "int32"), "float32");
  const product = said.emit("Mul", [real, said.constant({ dtype: "float32", shape, data: factors })]);
  const limits = [said.scalar("float32", low), said.scalar("float32", high)];
  return said.cast(said.emit("Round", [said.emit("Clip", [product, ...limits])]), "int64");
}

/** ⌊(v·m + 2^(s−1) ± nudge) / 2^s⌋ by an unsigned shift of the sum plus 2^62, less 2^(62−s). */
function emitShift(said: Said, accumulator: string, options: PostOptions, rounding: string): string {
  const { multiplier, shift } = constantsOf(said, options);
  const factors = numbersOf(multiplier);
  const given = numbersOf(shift);
  const count = elementCount(multiplier.shape);
  const shifts = factors.map((_, index) => BigInt(given[given.length === 1 ? 0 : index]));
  const shape = options.shape(count);
  const perChannel = (values: readonly (number | bigint)[]) => said.int64(values, shape);

  let sum = said.emit("Mul", [accumulator, perChannel(factors)]);
  if (rounding === "tosa-double" && shifts.some((s) => s > 31n)) {
    const nudges = shifts.map((s) => (s > 31n ? NUDGE : 0n));
    const negative = said.cast(said.emit("Less", [accumulator, said.scalar("int64", 0)]), "int64");
    const down = said.emit("Mul", [negative, perChannel(nudges.map((nudge) => -2n * nudge))]);
    sum = said.emit("Add", [said.emit("Add", [sum, perChannel(nudges)]), down]);
  }
  const unsigned = (values: readonly bigint[]) =>
    said.constant({ dtype: "uint64", shape, data: BigUint64Array.from(values) });
  const half = (s: bigint) => 2n ** (s - 1n);
  const mostShift = shifts.reduce((a, b) => (a > b ? a : b), 0n);
  const reach = BigInt(Math.ceil(options.reach)) * BigInt(largestMagnitude(factors));
  if (reach + half(mostShift) + NUDGE < OFFSET) {
    sum = said.emit("Add", [sum, perChannel(shifts.map((s) => OFFSET + half(s)))]);
    const shifted = said.emit("BitShift", [said.cast(sum, "uint64"), unsigned(shifts)], { direction: { s: "RIGHT" } });
    return said.emit("Sub", [said.cast(shifted, "int64"), perChannel(shifts.map((s) => 2n ** (62n - s)))]);
  }
  // The rounding term might leave 63 bits: ⌊(x + 2^(s−1)) / 2^s⌋ = ⌊(⌊x / 2^(s−1)⌋ + 1) / 2⌋.
  sum = said.emit("Add", [sum, said.scalar("int64", OFFSET)]);
  const once = shifts.map((s) => s - 1n);
  const shifted = said.emit("BitShift", [said.cast(sum, "uint64"), unsigned(once)], { direction: { s: "RIGHT" } });
  const next = said.emit("Add", [said.cast(shifted, "int64"), said.scalar("int64", 1)]);
  const halved = said.emit("Div", [next, said.scalar("int64", 2)]);
  return said.emit("Sub", [halved, perChannel(shifts.map((s) => 2n ** (62n - s)))]);
}
