import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyHistogram, observe } from "../../src/quant/histogram.ts";
import { chooseRange, quantOf, RANGE_RULES } from "../../src/quant/ranges.ts";

function histogramOf(values: readonly number[]) {
  const histogram = emptyHistogram();
  observe(histogram, Float32Array.from(values));
  return histogram;
}

const options = { percentile: 99.9, levels: 256, symmetric: false };

describe("ranges", () => {
  it("contain zero and lie inside what was seen, for every calibrator", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 1 }), (values) => {
        const histogram = histogramOf(values);
        for (const calibrator of RANGE_RULES) {
          const { low, high } = chooseRange(histogram, { ...options, calibrator });
          expect(low).toBeLessThanOrEqual(0);
          expect(high).toBeGreaterThanOrEqual(0);
          expect(low).toBeGreaterThanOrEqual(Math.min(0, histogram.minimum));
          expect(high).toBeLessThanOrEqual(Math.max(0, histogram.maximum));
        }
      }),
      { seed: 3 },
    );
  });

  it("percentile and mse cut a lone outlier that min-max keeps", () => {
    const values = Array.from({ length: 100_000 }, (_, index) => (index % 200) / 100 - 1);
    const histogram = histogramOf([...values, 50]);
    expect(chooseRange(histogram, { ...options, calibrator: "min-max" }).high).toBe(50);
    expect(chooseRange(histogram, { ...options, calibrator: "percentile" }).high).toBeLessThan(1.1);
    expect(chooseRange(histogram, { ...options, calibrator: "mse" }).high).toBeLessThan(48);
  });

  it("mse keeps a uniform spread whole", () => {
    const values = Array.from({ length: 10_000 }, (_, index) => index / 10_000);
    expect(chooseRange(histogramOf(values), { ...options, calibrator: "mse" }).high).toBeGreaterThan(0.98);
  });

  it("int8 maps zero to a code exactly, and both ends inside the codes", () => {
    fc.assert(
      fc.property(
        fc.float({ min: -100, max: 0, noNaN: true }),
        fc.float({ min: 0, max: 100, noNaN: true }),
        (low, high) => {
          fc.pre(high - low > 1e-3);
          const { scale, zeroPoint } = quantOf({ low, high }, "int8");
          const code = (real: number) => Math.round(real / scale[0]) + zeroPoint[0];
          expect(code(low)).toBeGreaterThanOrEqual(-129);
          expect(code(high)).toBeLessThanOrEqual(128);
          expect(Number.isInteger(zeroPoint[0])).toBe(true);
        },
      ),
      { seed: 4 },
    );
  });
});
