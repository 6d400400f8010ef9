/**
 * What codes and accumulators can be, proven from the weights' bytes and the ranges of the codes that come in: abstract
 * interpretation over intervals. Every sum is bounded with all its partial sums, in any order: terms range over an interval
 * that holds 0, so leaving some out never leads beyond the bound of all.
 */
import type { Command, Operand, Post, Round } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { type ChannelSums, type Constant, numbersOf } from "./constants.ts";
import { rangeOf } from "./form.ts";
import {
  bitsOf,
  clampedTo,
  hull,
  type Interval,
  magnitudeOf,
  plus,
  scaled,
  shifted,
  times,
  withZero,
} from "./interval.ts";
import { countOf } from "./operand.ts";
import { unpackedRange } from "./packed.ts";
import { depthOf, halvesOf, type Linear, type Products, productsOf } from "./sums.ts";

/** Bits of an accumulator that 16-bit operands, normalisations and roots end in. */
export const WIDE_BITS = 39;
/** Bits that requantization takes. */
const NARROW_BITS = 32;

/** What an operand holds. */
export interface Value extends Interval {
  /** Present where it is a copy of weights. */
  readonly constant?: Constant;
}

/** A bound on an accumulator of a layer. */
export interface Need {
  /** What is bounded, where a layer has more than one. */
  readonly what: string;
  readonly range: Interval;
  readonly limitBits: number;
}

export interface Outcome {
  /** What the result holds. */
  readonly result: Interval;
  readonly needs: readonly Need[];
  /** What stands against the proof, besides a need beyond its limit. */
  readonly doubts: readonly string[];
}

export interface Known {
  value(role: string): Value;
  /** Sums that were computed before, by the constants' key. */
  readonly memo: Map<string, ChannelSums>;
  /** Whether the weights' bytes may be read; if not, every weight may be any code, and biases are left out. */
  readonly readsWeights: boolean;
  /** Whether so many constants may still be read. */
  affords(count: number): boolean;
}

const TYPE = (operand: Operand): Interval => {
  const [low, high] = rangeOf(operand.dtype);
  return { low, high };
};

const TOO_MANY = "the program reads more constants than a check may take";

class Proof {
  readonly needs: Need[] = [];
  readonly doubts: string[] = [];
  private readonly known: Known;
  private readonly bits: number;

  constructor(known: Known, target: Target) {
    this.known = known;
    this.bits = target.array.accumulatorBits;
  }

  need(what: string, range: Interval, limitBits: number): void {
    this.needs.push({ what, range, limitBits });
  }

  /** All products of a layer, by channel. */
  products(command: Linear): Products {
    return productsOf(command, this.known) ?? this.nothing();
  }

  private nothing(): Products {
    this.doubts.push(TOO_MANY);
    return () => [{ low: 0, high: 0 }];
  }

  numbers(role: string, operand: Operand, what: string): Float64Array | undefined {
    const { constant } = this.known.value(role);
    if (!constant) {
      if (this.known.readsWeights) this.doubts.push(`${what} is computed at run time`);
      return undefined;
    }
    if (this.known.affords(countOf(operand.shape))) return numbersOf(operand, constant);
    this.doubts.push(TOO_MANY);
    return undefined;
  }

  /** A constant's numbers within [low, high]; said otherwise. */
  within(role: string, operand: Operand, low: number, high: number): void {
    const bad = this.numbers(role, operand, role)?.find((value) => !(value >= low && value <= high));
    if (bad !== undefined) this.doubts.push(`${role} ${bad} is not within [${low}, ${high}]`);
  }

  private pair(multiplier: string, m: Operand, shift: string, s: Operand, most: number): void {
    this.within(multiplier, m, 0, most);
    this.within(shift, s, 2, 62);
  }

  /** From accumulator to code. `value`: what goes in; the product with the multiplier then fits 64 bits (53, wide). */
  stage(post: Post | undefined, value: Interval, y: Operand): Interval {
    if (post === undefined) return TYPE(y);
    const { multiplier, shift, table, round, wide } = post;
    if (this.known.readsWeights) this.need("requantized", value, wide ? WIDE_BITS : NARROW_BITS);
    this.scale(round, wide, multiplier, shift);
    if (table) this.pair("table multiplier", table.multiplier, "table shift", table.shift, 2 ** 31 - 1);
    return clampedTo({ low: post.yMin, high: post.yMax }, TYPE(y));
  }

  private scale(round: Round, wide: boolean, multiplier: Operand, shift: Operand): void {
    if (round === "ort-f32-rne" && !wide) this.within("multiplier", multiplier, 0, 3.5e38);
    else this.pair("multiplier", multiplier, "shift", shift, wide ? 2 ** 15 - 1 : 2 ** 31 - 1);
  }

  /** Bounds of the bias, per channel or one for all; 0 where there is none. */
  private bias(operand: Operand | undefined): ArrayLike<number> | Interval {
    if (operand === undefined || !this.known.readsWeights) return { low: 0, high: 0 };
    return this.numbers("bias", operand, "the bias") ?? TYPE(operand);
  }

  /** Σ u·w + bias over the channels: in the array's accumulator, and what is requantized. */
  linear(u: Interval, products: Products, bias: Operand | undefined, split: boolean): Interval {
    const terms = withZero(u);
    const biases = this.bias(bias);
    const sums = products(terms);
    const channels = "low" in biases ? sums.length : Math.max(sums.length, biases.length);
    let whole: Interval | undefined;
    let partial: Interval = { low: 0, high: 0 };
    for (let channel = 0; channel < channels; channel++) {
      const sum = sums[sums.length === 1 ? 0 : channel];
      const one = "low" in biases ? biases : biases[biases.length === 1 ? 0 : channel];
      const offset: Interval = typeof one === "number" ? { low: one, high: one } : one;
      const value = plus(sum, offset);
      whole = whole ? hull(whole, value) : value;
      partial = hull(partial, plus(sum, withZero(offset)));
    }
    if (split) {
      // Two passes on 8-bit multipliers, a signed high and an unsigned low byte, each with an accumulator of its own.
      const { high, low } = halvesOf(terms, products);
      this.need("high bytes", high, this.bits);
      this.need("low bytes", low, this.bits);
      this.need("combined", partial, WIDE_BITS);
    } else this.need(this.known.readsWeights ? "accumulator" : "products", partial, this.bits);
    return whole ?? { low: 0, high: 0 };
  }

  /** A sum in a vector lane. */
  lane(what: string, range: Interval, bits = WIDE_BITS): void {
    this.need(what, range, bits);
  }
}

/** At most the span of the codes; where a row makes a character 2^15 below that. */
function marginOf({ low, high }: Interval, operation: "margin" | "ctc-margin"): Interval {
  const most = Math.min(2 ** 15 - 1, high - low);
  return { low: operation === "margin" ? 0 : -(2 ** 15), high: most };
}

/** What a command can leave, and what must be proven of it. */
export function followRanges(command: Command, known: Known, target: Target): Outcome {
  const proof = new Proof(known, target);
  const result = resultOf(command, known, proof);
  return { result, needs: proof.needs, doubts: proof.doubts };
}

function resultOf(command: Command, known: Known, proof: Proof): Interval {
  switch (command.kind) {
    case "conv":
    case "deconv": {
      const u = shifted(known.value("x"), -command.xZero);
      const split = command.x.dtype === "int16";
      return proof.stage(command.post, proof.linear(u, proof.products(command), command.bias, split), command.y);
    }
    case "matmul": {
      const { a, aZero, bias, normalise, post, y } = command;
      const u = shifted(known.value("a"), -aZero);
      const value = proof.linear(u, proof.products(command), bias, a.dtype === "int16");
      if (!normalise) return proof.stage(post, value, y);
      if (u.low < 0) proof.doubts.push("weights that are divided by their sum can be negative");
      // ⌊(acc·2^16 + R/2) / R⌋ with |acc| ≤ R·max|b|: a mean of b in units of 2^−16; the dividend needs 16 bits more.
      const codes = command.b.dtype === "int4" ? unpackedRange(command) : known.value("b");
      const most = magnitudeOf(shifted(codes, -command.bZero));
      proof.lane("dividend", plus(scaled(value, 2 ** 16), { low: 0, high: 255 * depthOf(command) }), 54);
      return proof.stage(post, scaled({ low: -1, high: 1 }, most * 2 ** 16 + 1), y);
    }
    case "eltwise": {
      const [a, b] = [known.value("a"), known.value("b")];
      if (command.operation === "max") return { low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) };
      if (command.operation === "min") return { low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) };
      const [u, v] = [shifted(a, -command.aZero), shifted(b, -command.bZero)];
      const value =
        command.operation === "mul"
          ? times(u, v)
          : plus(scaled(u, command.aMultiplier), scaled(v, command.bMultiplier));
      return proof.stage(command.post, value, command.y);
    }
    case "scale":
      return proof.stage(command.post, shifted(known.value("x"), -command.xZero), command.y);
    case "pool": {
      const x = known.value("x");
      if (command.operation === "max") return leavesEmptyWindows(command) ? TYPE(command.y) : x;
      const cells = scaled(withZero(shifted(x, -command.xZero)), countOf(command.kernel));
      return proof.stage(command.post, cells, command.y);
    }
    case "reduce": {
      const { operation, x, y, xZero, post } = command;
      if (operation === "max" || operation === "min") return known.value("x");
      if (operation === "margin" || operation === "ctc-margin") return marginOf(known.value("x"), operation);
      const u = withZero(shifted(known.value("x"), -xZero));
      const count = countOf(x.shape) / countOf(y.shape);
      if (operation === "sum") return proof.stage(post, scaled(u, count), y);
      // Unsigned 32 bits of squares; their root has 16 bits and 10 after the point.
      const squares = count * magnitudeOf(u) ** 2;
      proof.lane("squares", { low: 0, high: squares }, 33);
      return proof.stage(post, { low: 0, high: Math.floor(Math.sqrt(squares) * 2 ** 10) }, y);
    }
    case "softmax": {
      const { x, y, table, normalised } = command;
      proof.within("table", table, 0, 2 ** 15);
      proof.lane("powers", { low: 0, high: x.shape[x.shape.length - 1] * 2 ** 15 });
      if (!normalised) return { low: 0, high: 255 };
      return y.dtype === "int16" ? { low: 0, high: 2 ** 15 - 1 } : TYPE(y);
    }
    case "norm": {
      const { x, gamma, beta, y, axes, center, epsilon, post, xZero } = command;
      const u = shifted(known.value("x"), -xZero);
      const count = countOf(x.shape.slice(x.shape.length - axes));
      // V = n·Q − S² is n² times a variance, at most half the span squared; uncentred it is n·Σu².
      const spread = center ? (u.high - u.low) / 2 : magnitudeOf(u);
      proof.lane("variance", { low: 0, high: (count * spread) ** 2 + epsilon }, 53);
      // |c| ≤ √(n·V), so |t| ≤ 2^12·√n, and a half for rounding.
      const most = Math.floor(2 ** 12 * Math.sqrt(count)) + 1;
      const gains = boundsOf(proof.numbers("gamma", gamma, "gamma")) ?? TYPE(gamma);
      const shifts = boundsOf(proof.numbers("beta", beta, "beta")) ?? TYPE(beta);
      return proof.stage(post, plus(times({ low: -most, high: most }, gains), shifts), y);
    }
    case "table": {
      const { x, table, y } = command;
      const numbers = proof.numbers("table", table, "the table");
      if (numbers === undefined) return TYPE(y);
      if (x.dtype === "int16") return boundsOf(numbers) ?? TYPE(y);
      const { low, high } = clampedTo(known.value("x"), { low: -128, high: 127 });
      return boundsOf(numbers.subarray(low + 128, high + 129)) ?? TYPE(y);
    }
    case "move":
      return command.x.dtype === command.y.dtype ? known.value("x") : clampedTo(known.value("x"), TYPE(command.y));
    case "pack":
      return TYPE(command.y);
    case "unpack":
      return { low: -8, high: 7 };
    case "fill":
      return { low: command.value, high: command.value };
    case "gather":
      return known.value("x");
    case "scatter":
      return hull(known.value("x"), known.value("y"));
    case "dma-read":
    case "dma-write":
      return known.value("from");
    case "cpu":
    case "stop":
      return { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  }
}

export function boundsOf(values: Float64Array | undefined): Interval | undefined {
  if (values === undefined || values.length === 0) return undefined;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}

/** Whether a window may hold no cell, which then gives the least code of the type. */
function leavesEmptyWindows({ x, y, kernel, strides, pads, dilations }: Extract<Command, { kind: "pool" }>): boolean {
  return [0, 1].some((axis) => {
    const last = (y.shape[2 + axis] - 1) * strides[axis] - pads[axis];
    return dilations[axis] > 1 || pads[axis] >= kernel[axis] || last >= x.shape[2 + axis];
  });
}

/** Whether a bound is proven: |v| < 2^(bits − 1). */
export function isProven({ range, limitBits }: Need): boolean {
  return bitsOf(range) <= limitBits;
}
