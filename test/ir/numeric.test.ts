import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bfloat16ToFloat32,
  decodeSmallFloat,
  encodeSmallFloat,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
  roundHalfEven,
  type SmallFloat,
} from "../../src/ir/numeric.ts";

const FORMATS: readonly [SmallFloat, patterns: number, largest: number, smallest: number][] = [
  ["float16", 65536, 65504, 2 ** -24],
  ["bfloat16", 65536, (2 - 2 ** -7) * 2 ** 127, 2 ** -133],
  ["float8e4m3fn", 256, 448, 2 ** -9],
  ["float8e4m3fnuz", 256, 240, 2 ** -10],
  ["float8e5m2", 256, 57344, 2 ** -16],
  ["float8e5m2fnuz", 256, 57344, 2 ** -17],
  ["float4e2m1", 16, 6, 0.5],
];

describe.each(FORMATS)("%s", (format, count, largest, smallest) => {
  const values = Array.from({ length: count }, (_, pattern) => decodeSmallFloat(format, pattern));
  const finite = values.filter(Number.isFinite);

  it("has the range that its definition states", () => {
    expect(Math.max(...finite.slice(0, 40000), ...finite.slice(40000))).toBe(largest);
    expect(finite.reduce((least, value) => (value > 0 && value < least ? value : least), largest)).toBe(smallest);
  });

  it("encodes what it decoded to the same pattern", () => {
    values.forEach((value, pattern) => {
      if (!Number.isNaN(value)) expect(encodeSmallFloat(format, value)).toBe(pattern);
    });
  });

  it("rounds to the nearest number, halves to the even pattern", () => {
    const sorted = [...new Set(finite)].sort((a, b) => a - b);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: sorted.length - 2 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (at, part) => {
          const [low, high] = [sorted[at], sorted[at + 1]];
          const x = low + (high - low) * part;
          const pattern = encodeSmallFloat(format, x);
          const rounded = decodeSmallFloat(format, pattern);
          const middle = low + (high - low) / 2;
          if (x !== middle) expect(rounded === (x < middle ? low : high)).toBe(true);
          else expect(pattern % 2).toBe(0);
        },
      ),
      { seed: 7, numRuns: 400 },
    );
  });

  it("saturates, or goes where its definition says", () => {
    expect(decodeSmallFloat(format, encodeSmallFloat(format, Number.POSITIVE_INFINITY, true))).toBe(largest);
    expect(decodeSmallFloat(format, encodeSmallFloat(format, -largest * 2, true))).toBe(-largest);
    const beyond = decodeSmallFloat(format, encodeSmallFloat(format, largest * 2));
    if (format === "float4e2m1") expect(beyond).toBe(largest);
    else if (format.startsWith("float8") && format !== "float8e5m2") expect(beyond).toBeNaN();
    else expect(beyond).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("the 16-bit shorthands", () => {
  it("round once from a double", () => {
    // Halfway between two halves plus a bit that a float32 would lose: rounding twice would go down to even.
    expect(float16ToFloat32(float32ToFloat16(1 + 2 ** -11 + 2 ** -40))).toBe(1 + 2 ** -10);
    expect(float16ToFloat32(float32ToFloat16(65519.99))).toBe(65504);
    expect(float16ToFloat32(float32ToFloat16(65520))).toBe(Number.POSITIVE_INFINITY);
    expect(bfloat16ToFloat32(float32ToBfloat16(1 + 2 ** -8))).toBe(1);
    expect(Object.is(bfloat16ToFloat32(float32ToBfloat16(-0)), -0)).toBe(true);
    expect(float16ToFloat32(float32ToFloat16(Number.NaN))).toBeNaN();
  });
});

describe("roundHalfEven", () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [2.4999999, 2],
    [-3.7, -4],
    [4503599627370495.5, 4503599627370496],
  ])("%d → %d", (x, expected) => {
    expect(roundHalfEven(x)).toBeCloseTo(expected, 12);
  });
});
