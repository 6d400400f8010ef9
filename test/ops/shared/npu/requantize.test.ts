import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attrs, type Node } from "../../../../src/ir/graph.ts";
import { makeTensor } from "../../../../src/ir/tensor.ts";
import {
  floorDivide,
  interpolate,
  postStage,
  requantizeDouble,
  requantizeFloat,
  requantizeSingle,
} from "../../../../src/ops/shared/npu/requantize.ts";

const MIN = -(2n ** 31n);
const MAX = 2n ** 31n - 1n;

/** gemmlowp's SaturatingRoundingDoublingHighMul: (a·b + nudge) / 2^31 truncated, MIN·MIN saturates. */
function doublingHighMul(a: bigint, b: bigint): bigint {
  if (a === MIN && b === MIN) return MAX;
  const product = a * b;
  return (product + (product >= 0n ? 2n ** 30n : 1n - 2n ** 30n)) / 2n ** 31n;
}

/** gemmlowp's RoundingDivideByPOT: halves away from zero. */
function divideByPowerOfTwo(x: bigint, exponent: bigint): bigint {
  const mask = 2n ** exponent - 1n;
  const threshold = (mask >> 1n) + (x < 0n ? 1n : 0n);
  return (x >> exponent) + ((x & mask) > threshold ? 1n : 0n);
}

const value = fc.oneof(
  fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }),
  fc.integer({ min: -70000, max: 70000 }),
  fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31) + 1),
);
const multiplier = fc.oneof(fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 }), fc.constantFrom(0, 2 ** 30, 2 ** 31 - 1));

describe("requantization", () => {
  test("tosa-double is TFLite's double rounding for every right shift", () => {
    fc.assert(
      fc.property(value, multiplier, fc.integer({ min: 31, max: 61 }), (v, m, s) => {
        const tflite = divideByPowerOfTwo(doublingHighMul(BigInt(v), BigInt(m)), BigInt(s - 31));
        expect(requantizeDouble(v, m, s)).toBe(Number(tflite));
      }),
      { seed: 1, numRuns: 20000 },
    );
  });

  test("tosa-single is one rounding, halves up", () => {
    fc.assert(
      fc.property(value, multiplier, fc.integer({ min: 2, max: 62 }), (v, m, s) => {
        const twice = (2n * BigInt(v) * BigInt(m) + 2n ** BigInt(s)) / 2n;
        expect(requantizeSingle(v, m, s)).toBe(Number(floorDivide(twice, 2n ** BigInt(s))));
      }),
      { seed: 2, numRuns: 5000 },
    );
  });

  test("single and double differ where the first rounding makes a half", () => {
    // 0.5 − 2^−31 of an output step: one rounding gives 0, two give 1.
    expect(requantizeSingle(2 ** 31 - 1, 2 ** 30, 62)).toBe(0);
    expect(requantizeSingle(-3, 2 ** 30, 31)).toBe(-1);
    expect(requantizeDouble(-3, 2 ** 30, 31)).toBe(-1);
    expect(requantizeSingle(-6, 2 ** 30, 32)).toBe(-1);
    expect(requantizeDouble(-6, 2 ** 30, 32)).toBe(-2);
  });

  test.each([
    [5, 0.5, 2],
    [7, 0.5, 4],
    [-5, 0.5, -2],
    [2 ** 24 + 1, 1, 100],
    [-(2 ** 30), 1, -100],
  ])("ort-f32-rne of %d·%d is %d: halves to even, clamped first", (v, m, expected) => {
    expect(requantizeFloat(v, m, -100, 100)).toBe(expected);
  });

  test("an accumulator beyond 2^24 is rounded to float32 before it is multiplied", () => {
    expect(requantizeFloat(2 ** 24 + 1, 1, -Infinity, Infinity)).toBe(2 ** 24);
    expect(requantizeFloat(2 ** 24 + 3, 1, -Infinity, Infinity)).toBe(2 ** 24 + 4);
  });
});

describe("floor division", () => {
  test.each([
    [7n, 2n, 3n],
    [-7n, 2n, -4n],
    [-8n, 2n, -4n],
    [0n, 5n, 0n],
  ])("⌊%d / %d⌋ = %d", (a, b, expected) => expect(floorDivide(a, b)).toBe(expected));
});

describe("the interpolated table", () => {
  const line = Int16Array.from({ length: 513 }, (_, index) => Math.min(32767, (index - 256) * 128));
  test("gives back a straight line exactly", () => {
    for (let position = -32768; position < 32640; position += 37) expect(interpolate(line, position)).toBe(position);
  });
  test("stays within the table at both ends", () => {
    expect(interpolate(line, -32768)).toBe(-32768);
    expect(interpolate(line, 32767)).toBe(32766);
  });
});

describe("the post stage", () => {
  const node = (entries: Parameters<typeof attrs>[0]): Node => ({
    op: "Conv",
    domain: "npu",
    inputs: [],
    outputs: ["y"],
    attrs: attrs(entries),
    origin: [],
  });
  const multiplier = makeTensor("int32", [2], Int32Array.of(2 ** 30, 2 ** 30));
  const shift = makeTensor("int32", [2], Int32Array.of(30, 31));

  test("takes the channel's multiplier, adds the zero point and clamps", () => {
    const store = postStage(node({ y_zero: { i: -5 }, y_min: { i: -5 }, y_max: { i: 20 } }), { multiplier, shift });
    expect([store(7, 0), store(7, 1), store(-7, 0), store(100, 0)]).toEqual([2, -1, -5, 20]);
  });

  test("requantizes the table's sample with the channel's second multiplier", () => {
    const knots = makeTensor("int16", [513], new Int16Array(513).fill(3000));
    const table = {
      knots,
      multiplier,
      shift: makeTensor("int32", [2], Int32Array.of(35, 36)),
    };
    const store = postStage(node({ y_zero: { i: 1 } }), { multiplier, shift, table });
    expect([store(123456, 0), store(123456, 1)]).toEqual([95, 48]);
  });

  test("refuses a rounding and a dtype that nobody defined", () => {
    expect(() => postStage(node({ round: { s: "up" } }), { multiplier, shift })).toThrow(/rounding "up"/);
    expect(() => postStage(node({ y_dtype: { s: "int4" } }), { multiplier, shift })).toThrow(/int8 or int16/);
  });
});
