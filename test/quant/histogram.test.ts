import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  binCentre,
  binWidth,
  emptyHistogram,
  type Histogram,
  merge,
  observe,
  total,
} from "../../src/quant/histogram.ts";

const values = fc.float32Array({ noNaN: true, noDefaultInfinity: true, maxLength: 50 });

function seen(...parts: Float32Array[]): Histogram {
  const histogram = emptyHistogram();
  for (const part of parts) observe(histogram, part);
  return histogram;
}

describe("histogram", () => {
  it("does not depend on order or grouping", () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const whole = seen(Float32Array.from([...a, ...b, ...c]));
        const parts = seen(c);
        merge(parts, seen(b, a));
        expect(parts).toEqual(whole);
      }),
      { seed: 1 },
    );
  });

  it("puts every value in the bin that covers it", () => {
    fc.assert(
      fc.property(values, (list) => {
        const histogram = seen(list);
        expect(total(histogram)).toBe(list.length);
        for (const value of list) {
          const index = Math.floor(value / binWidth(histogram)) + 2048;
          expect(histogram.counts[index]).toBeGreaterThan(0);
          expect(Math.abs(binCentre(histogram, index) - value)).toBeLessThanOrEqual(binWidth(histogram) / 2);
        }
      }),
      { seed: 2 },
    );
  });

  it("counts what is not finite and bins the rest", () => {
    const histogram = seen(Float32Array.of(1, Number.NaN, -2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));
    expect(histogram.broken).toBe(3);
    expect(total(histogram)).toBe(2);
    expect([histogram.minimum, histogram.maximum]).toEqual([-2, 1]);
  });

  it("takes a fixed amount of memory whatever it sees", () => {
    const histogram = seen(Float32Array.of(1e-30), Float32Array.of(1e30), new Float32Array(10_000));
    expect(histogram.counts.length).toBe(4096);
  });
});
