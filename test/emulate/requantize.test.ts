import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  requantizeDouble,
  requantizeFloat,
  requantizeSingle,
  requantizeWide,
  roundHalfEven,
} from "../../src/emulate/machine/requantize.ts";

/** The formulas of docs/integer-semantics.md as they stand there. */
function single(v: number, m: number, s: number): bigint {
  return (BigInt(v) * BigInt(m) + (1n << BigInt(s - 1))) >> BigInt(s);
}

function double(v: number, m: number, s: number): bigint {
  const nudge = s > 31 ? (v >= 0 ? 1n << 30n : -(1n << 30n)) : 0n;
  return (BigInt(v) * BigInt(m) + (1n << BigInt(s - 1)) + nudge) >> BigInt(s);
}

const clamped = (value: number | bigint) => Number(value < -70_000 ? -70_000 : value > 70_000 ? 70_000 : value);

const extremes = [0, 1, -1, 2, -2, 2 ** 30, -(2 ** 30), 2 ** 31 - 1, -(2 ** 31) + 1, 65_535, 65_536, -65_536, -65_537];
const value = fc.oneof(fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }), fc.constantFrom(...extremes));
const multiplier = fc.oneof(
  fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 }),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  fc.constantFrom(0, 2 ** 30, 2 ** 31 - 1),
);
const shift = fc.integer({ min: 2, max: 62 });

describe("requantization in doubles is the one in integers", () => {
  test("tosa-single", () => {
    fc.assert(
      fc.property(value, multiplier, shift, (v, m, s) => {
        expect(clamped(requantizeSingle(v, m, s))).toBe(clamped(single(v, m, s)));
      }),
      { numRuns: 5000, seed: 1 },
    );
  });

  test("tosa-double", () => {
    fc.assert(
      fc.property(value, multiplier, shift, (v, m, s) => {
        expect(clamped(requantizeDouble(v, m, s))).toBe(clamped(double(v, m, s)));
      }),
      { numRuns: 5000, seed: 2 },
    );
  });

  test("wide: 38 bits by 15", () => {
    const wide = fc.oneof(
      fc.bigInt(-(2n ** 38n) + 1n, 2n ** 38n - 1n).map(Number),
      fc.constantFrom(2 ** 38 - 1, -(2 ** 38) + 1),
    );
    fc.assert(
      fc.property(wide, fc.integer({ min: 0, max: 2 ** 15 - 1 }), shift, (v, m, s) => {
        expect(clamped(requantizeWide(v, m, s))).toBe(clamped(single(v, m, s)));
      }),
      { numRuns: 5000, seed: 3 },
    );
  });

  test("products one below, at and one above every half", () => {
    for (let s = 17; s <= 45; s++) {
      const m = 2 ** 30;
      const half = 2 ** (s - 31);
      if (!Number.isInteger(half) || half >= 2 ** 31) continue;
      for (const base of [1, 3, -1, -3]) {
        for (const v of [base * half - 1, base * half, base * half + 1]) {
          if (Math.abs(v) < 2 ** 31) expect(requantizeSingle(v, m, s)).toBe(Number(single(v, m, s)));
        }
      }
    }
  });

  test("ort-f32-rne: ties to even, clamped before rounding", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, -2.5001].map(roundHalfEven)).toEqual([0, 2, 2, 0, -2, 2, -3]);
    expect(requantizeFloat(5, 0.5, -128, 127)).toBe(2);
    expect(requantizeFloat(7, 0.5, -128, 127)).toBe(4);
    expect(requantizeFloat(1e6, 0.5, -128, 127)).toBe(127);
    // fround(16777217) = 16777216 before the product.
    expect(requantizeFloat(16_777_217, 2 ** -20, -128, 127)).toBe(16);
  });
});
