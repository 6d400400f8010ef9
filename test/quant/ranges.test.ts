import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitMix } from "../../src/data/random.ts";
import { emptyHistogram, observe } from "../../src/quant/histogram.ts";
import { chooseRange, quantOf, RANGE_RULES } from "../../src/quant/ranges.ts";

function histogramOf(values: readonly number[]) {
  const histogram = emptyHistogram();
  observe(histogram, Float32Array.from(values));
  return histogram;
}

/** Coarse bins to each of the codes that the plain definition has below. */
const [LEVELS, PER_LEVEL] = [32, 4];

/** Counts of positive numbers in coarse bins over all that is there. */
function coarse(values: readonly number[]): number[] {
  const counts = new Array<number>(LEVELS * PER_LEVEL).fill(0);
  const most = Math.max(...values);
  for (const value of values) {
    if (value > 0) counts[Math.min(counts.length - 1, Math.floor((value / most) * counts.length))]++;
  }
  return counts;
}

/** Migacz's procedure word by word: the end of the range whose quantized counts are closest to the reference's. */
function leastDivergent(counts: readonly number[], most: number): number {
  let [best, least] = [most, Number.POSITIVE_INFINITY];
  for (let bins = LEVELS; bins <= counts.length; bins += LEVELS) {
    const reference = counts.slice(0, bins);
    const candidate = counts.slice(0, bins);
    reference[bins - 1] += counts.slice(bins).reduce((sum, count) => sum + count, 0);
    const width = bins / LEVELS;
    for (let level = 0; level < LEVELS; level++) {
      const own = candidate.slice(level * width, (level + 1) * width);
      const filled = own.filter((count) => count > 0).length;
      const mean = own.reduce((sum, count) => sum + count, 0) / Math.max(1, filled);
      for (const [at, count] of own.entries()) candidate[level * width + at] = count > 0 ? mean : 0;
    }
    const [p, q] = [reference, candidate].map((list) => list.reduce((sum, count) => sum + count, 0));
    const sum = reference.reduce(
      (total, count, at) =>
        count > 0 ? total + (count / p) * Math.log(count / p / ((candidate[at] || 1) / q)) : total,
      0,
    );
    if (sum < least) [best, least] = [(most * bins) / counts.length, sum];
  }
  return best;
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

  it("entropy keeps a density's tails, however few numbers show it and whatever stands in it again and again", () => {
    for (const count of [4000, 40_000]) {
      for (const plain of [0, 0.5]) {
        const random = splitMix(count);
        const values = Array.from({ length: count }, () => {
          const background = random() < plain;
          // A background takes one of a few numbers; the rest is what a Relu leaves of a Laplace density.
          if (background) return [0.25, 0.75, 1.5][Math.floor(random() * 3)];
          return random() < 0.5 ? 0 : -Math.log(1 - random());
        });
        const histogram = histogramOf(values);
        const { high } = chooseRange(histogram, { ...options, calibrator: "entropy" });
        const cut = values.filter((value) => value > high).length / count;
        expect({ count, plain, cut: cut < 0.001 }).toEqual({ count, plain, cut: true });
        const all = coarse(values);
        // The plain definition, on bins coarse enough that chance does not show.
        expect(high).toBeGreaterThan(0.75 * leastDivergent(all, Math.max(...values)));
      }
    }
  });

  it("entropy cuts a lone outlier", () => {
    const values = Array.from({ length: 100_000 }, (_, index) => (index % 200) / 100 - 1);
    const { low, high } = chooseRange(histogramOf([...values, 50]), { ...options, calibrator: "entropy" });
    expect(high).toBeLessThan(48);
    expect(low).toBeLessThan(-0.97);
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
