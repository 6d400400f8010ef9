/** From accumulator to code: exact in doubles, without BigInt. The rules are in docs/integer-semantics.md. */
import type { Post, PostTable } from "../../schedule/program.ts";
import { gatherNumbers, type Memories, type NumberArray } from "./memory.ts";

const SPLIT = 65_536;

/**
 * ⌊(v·m + extra·2^16 + 2^(s−1)) / 2^s⌋ for |v| < 2^31, 0 ≤ m < 2^31, 2 ≤ s ≤ 62. With m = mh·2^16 + ml, v·m = A·2^16 + B
 * where A = v·mh + ⌊v·ml / 2^16⌋ and 0 ≤ B < 2^16; both parts are below 2^48. For s > 16 the rounding term is a
 * multiple of 2^16 too, so B cannot change the quotient: ⌊(A + 2^(s−17)) / 2^(s−16)⌋, exact, since dividing by a power of
 * two only moves the exponent. For s ≤ 16 the quotient is A·2^(16−s) + ⌊(B + 2^(s−1)) / 2^s⌋; where that sum is no
 * longer exact it is far beyond every code, and the clamp that follows does not see the difference.
 */
function scale(value: number, high: number, low: number, shift: number, extra: number): number {
  const small = value * low;
  const carried = Math.floor(small / SPLIT);
  const a = value * high + carried + extra;
  if (shift > 16) return Math.floor((a + 2 ** (shift - 17)) / 2 ** (shift - 16));
  return a * 2 ** (16 - shift) + Math.floor((small - carried * SPLIT + 2 ** (shift - 1)) / 2 ** shift);
}

/** TOSA apply_scale_32 with single rounding. */
export function requantizeSingle(value: number, multiplier: number, shift: number): number {
  const high = Math.floor(multiplier / SPLIT);
  return scale(value, high, multiplier - high * SPLIT, shift, 0);
}

/** With double rounding: ± 2^30 by the sign of v where s > 31. */
export function requantizeDouble(value: number, multiplier: number, shift: number): number {
  const high = Math.floor(multiplier / SPLIT);
  const extra = shift > 31 ? (value >= 0 ? 2 ** 14 : -(2 ** 14)) : 0;
  return scale(value, high, multiplier - high * SPLIT, shift, extra);
}

/** ⌊(v·m + 2^(s−1)) / 2^s⌋ for |v| < 2^38, m < 2^15: the product is exact, and ⌊(p/h + 1)/2⌋ needs only ⌊p/h⌋. */
export function requantizeWide(value: number, multiplier: number, shift: number): number {
  return Math.floor((Math.floor((value * multiplier) / 2 ** (shift - 1)) + 1) / 2);
}

/** Nearest integer, halves to even. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** rint(fround(fround(v)·m)) within [low, high]; the product of two float32 is exact in a double, so it is rounded once. */
export function requantizeFloat(value: number, multiplier: number, low: number, high: number): number {
  const product = Math.fround(Math.fround(value) * multiplier);
  return roundHalfEven(Math.min(Math.max(product, low), high));
}

/** int16[513] knots 128 codes apart, linear between them. `code` in [−32768, 32767]. */
export function interpolate(table: ArrayLike<number>, code: number): number {
  const place = code + 32_768;
  const index = place >> 7;
  const knot = table[index];
  return knot + (((table[index + 1] - knot) * (place & 127) + 64) >> 7);
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** An activation's table and the requantization of its samples. */
class TableStage {
  private readonly knots: Float64Array;
  private readonly multipliers: Float64Array;
  private readonly shifts: Float64Array;

  constructor({ knots, multiplier, shift }: PostTable, memories: Memories) {
    this.knots = gatherNumbers(memories.numbers(knots));
    this.multipliers = gatherNumbers(memories.numbers(multiplier));
    const shifts = gatherNumbers(memories.numbers(shift));
    this.shifts = this.multipliers.map((_, index) => shifts[shifts.length === 1 ? 0 : index]);
  }

  /** The sample at an int16 position, at the channel's scale. */
  apply(position: number, channel: number): number {
    const index = this.multipliers.length > 1 ? channel : 0;
    return requantizeSingle(interpolate(this.knots, position), this.multipliers[index], this.shifts[index]);
  }
}

/** The post stage with its constants read out of memory. */
export class PostStage {
  private readonly post: Post;
  private readonly multipliers: Float64Array;
  private readonly highs: Float64Array;
  private readonly lows: Float64Array;
  private readonly shifts: Float64Array;
  private readonly table: TableStage | undefined;
  private readonly single: boolean;
  private readonly perChannel: boolean;
  private readonly mode: "wide" | "scaled" | "float";

  constructor(post: Post, memories: Memories) {
    this.post = post;
    this.multipliers = gatherNumbers(memories.numbers(post.multiplier));
    this.highs = this.multipliers.map((multiplier) => Math.floor(multiplier / SPLIT));
    this.lows = this.multipliers.map((multiplier, index) => multiplier - this.highs[index] * SPLIT);
    const shifts = gatherNumbers(memories.numbers(post.shift));
    this.shifts = this.multipliers.map((_, index) => shifts[shifts.length === 1 ? 0 : index]);
    this.table = post.table && new TableStage(post.table, memories);
    this.single = post.round === "tosa-single";
    this.perChannel = this.multipliers.length > 1;
    this.mode = post.wide ? "wide" : post.round === "ort-f32-rne" ? "float" : "scaled";
  }

  private requantize(value: number, index: number): number {
    const { post } = this;
    if (this.mode === "scaled") {
      const shift = this.shifts[index];
      const extra = this.single || shift <= 31 ? 0 : value >= 0 ? 2 ** 14 : -(2 ** 14);
      return scale(value, this.highs[index], this.lows[index], shift, extra);
    }
    if (this.mode === "wide") return requantizeWide(value, this.multipliers[index], this.shifts[index]);
    const free = this.table !== undefined;
    const low = free ? -32_768 : post.yMin - post.yZero;
    const high = free ? 32_767 : post.yMax - post.yZero;
    return requantizeFloat(value, this.multipliers[index], low, high);
  }

  /** The code for an accumulator of a channel. */
  apply(value: number, channel: number): number {
    const { post, table } = this;
    const r = this.requantize(value, this.perChannel ? channel : 0);
    if (table === undefined) return clamp(r + post.yZero, post.yMin, post.yMax);
    return clamp(table.apply(clamp(r, -32_768, 32_767), channel) + post.yZero, post.yMin, post.yMax);
  }

  /** `count` accumulators of one channel, stored at `at`, `at + step`, … */
  storeRow(
    values: Int32Array | Float64Array,
    first: number,
    count: number,
    channel: number,
    to: NumberArray,
    at: number,
    step: number,
  ): void {
    const { post, table } = this;
    if (this.mode !== "scaled" || table !== undefined || !this.single) {
      for (let i = 0; i < count; i++) to[at + i * step] = this.apply(values[first + i], channel);
      return;
    }
    const index = this.perChannel ? channel : 0;
    const [high, low, shift] = [this.highs[index], this.lows[index], this.shifts[index]];
    const { yZero, yMin, yMax } = post;
    if (shift <= 16) {
      for (let i = 0; i < count; i++) {
        to[at + i * step] = clamp(scale(values[first + i], high, low, shift, 0) + yZero, yMin, yMax);
      }
      return;
    }
    const half = 2 ** (shift - 17);
    const inverse = 2 ** (16 - shift);
    const split = 1 / SPLIT;
    for (let i = 0; i < count; i++) {
      const value = values[first + i];
      const code = Math.floor((value * high + Math.floor(value * low * split) + half) * inverse) + yZero;
      to[at + i * step] = code < yMin ? yMin : code > yMax ? yMax : code;
    }
  }
}
