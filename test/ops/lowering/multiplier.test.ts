import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { multiplierOf, splitExponent } from "../../../src/ops/lowering/multiplier.ts";

const scales = fc.double({ min: 1e-12, max: 1e3, noNaN: true });

describe("multiplier", () => {
  it("splits a double exactly", () => {
    fc.assert(
      fc.property(scales, (real) => {
        const { fraction, exponent } = splitExponent(real);
        expect(fraction).toBeGreaterThanOrEqual(0.5);
        expect(fraction).toBeLessThan(1);
        expect(fraction * 2 ** exponent).toBe(real);
      }),
      { seed: 7 },
    );
  });

  it.each([31, 15] as const)("is within half a unit of %s bits, normalised, and within the shifts allowed", (bits) => {
    fc.assert(
      fc.property(scales, (real) => {
        const { multiplier, shift } = multiplierOf(real, bits);
        expect(multiplier).toBeGreaterThanOrEqual(2 ** (bits - 1) * (shift === 62 ? 0 : 1));
        expect(multiplier).toBeLessThan(2 ** bits);
        expect(shift).toBeGreaterThanOrEqual(2);
        expect(shift).toBeLessThanOrEqual(62);
        if (shift < 62) expect(Math.abs(multiplier / 2 ** shift / real - 1)).toBeLessThanOrEqual(2 ** -bits);
      }),
      { seed: 8 },
    );
  });

  it("a scale too small to say is zero, one too large an error", () => {
    expect(multiplierOf(2 ** -80, 31).multiplier).toBe(0);
    expect(multiplierOf(0, 31).multiplier).toBe(0);
    expect(() => multiplierOf(2 ** 40, 31)).toThrow(RangeError);
    expect(() => multiplierOf(Number.NaN, 31)).toThrow(RangeError);
  });
});
