import { describe, expect, it } from "vitest";
import { splitMix } from "../../../src/data/random.ts";
import { loadMetric } from "../../../src/evidence/metric.ts";
import { byGroup } from "../../../src/evidence/statistics/clusters.ts";
import { clopperPearsonLower, clopperPearsonUpper } from "../../../src/evidence/statistics/proportions.ts";
import { metricLimits, shareLimits } from "../../../src/evidence/statistics/shares.ts";
import { binomial, chance } from "../../../src/evidence/statistics/variates.ts";

const ALPHA = 0.05;
const groups = (count: number, size: number, yes: (at: number) => number) =>
  Array.from({ length: count }, (_, at) => ({ sum: yes(at), size }));

describe("shareLimits", () => {
  it("is exact where every sample is a group of its own", () => {
    const { estimate, lower, upper } = shareLimits(
      groups(200, 1, (at) => (at % 10 === 0 ? 1 : 0)),
      ALPHA,
    );
    expect([estimate, lower, upper]).toEqual([
      0.1,
      clopperPearsonLower(20, 200, ALPHA),
      clopperPearsonUpper(20, 200, ALPHA),
    ]);
  });

  it("does not take groups in which nothing went wrong for as many independent samples", () => {
    const none = shareLimits(
      groups(20, 60, () => 0),
      ALPHA,
    );
    // 1,200 independent samples would give 0.0025.
    expect(none.upper).toBeGreaterThan(0.03);
    const all = shareLimits(
      groups(20, 60, () => 60),
      ALPHA,
    );
    expect(all.lower).toBeCloseTo(1 - none.upper, 10);
  });

  it("knows less of few groups than of many", () => {
    const width = (count: number, size: number) => {
      const { lower, upper } = shareLimits(
        groups(count, size, (at) => (size / 10) * ((at % 4) + 1)),
        ALPHA,
      );
      return upper - lower;
    };
    expect(width(8, 100)).toBeGreaterThan(1.5 * width(80, 10));
  });

  it.each([
    [20, 60, 0.5, 0.01],
    [8, 150, 0.1, 0.01],
    [100, 12, 0.5, 0.02],
    [10, 150, 0.5, 0.02],
    [20, 60, 0.5, 0.05],
    [8, 150, 0.5, 0.1],
  ])("%i groups of %i, correlation %f: a share of %f is excluded as seldom as is said", (count, size, icc, share) => {
    let [above, below] = [0, 0];
    const trials = 300;
    for (let trial = 0; trial < trials; trial++) {
      const random = splitMix(trial * 7919 + 1);
      const drawn = groups(count, size, () => binomial(random, size, chance(random, share, icc)));
      if (shareLimits(drawn, ALPHA).upper < share) above++;
      const others = drawn.map(({ sum }) => ({ sum: size - sum, size }));
      if (shareLimits(others, ALPHA).lower > 1 - share) below++;
    }
    // 5 % and a standard error; with correlation taken as it is estimated 17 to 54 % were, or 7 to 9 % by a weaker limit of it.
    expect(above / trials).toBeLessThanOrEqual(0.0627);
    expect(below).toBe(above);
  });
});

describe("metricLimits", async () => {
  const [f1, auc, bits] = await Promise.all(["f1", "auc", "bitsPerCharacter"].map((name) => loadMetric(name, "/")));
  const options = { alpha: 0.05, seed: 1 };
  const records = (random: () => number, of: (label: number, turned: boolean) => unknown, wrong: number) =>
    byGroup(
      Array.from({ length: 16 }, (_, group) => {
        const rate = chance(random, wrong, 0.5);
        return Array.from({ length: 40 }, () => {
          const label = random() < 0.4 ? 1 : 0;
          const outcome = of(label, random() < rate);
          return { group: `g${group}`, teacher: outcome, compiled: outcome };
        });
      }).flat(),
    );

  it("says of F1, where whole groups are wrong, what is true in all but one of twenty cases", () => {
    let missed = 0;
    const trials = 200;
    // Of 0.4 positives and 0.05 turned: 2·0.38 / (2·0.38 + 0.02 + 0.03).
    const truth = 0.76 / 0.81;
    for (let trial = 0; trial < trials; trial++) {
      const random = splitMix(trial * 7919 + 3);
      const groups = records(random, (label, turned) => ({ label, answer: turned ? 1 - label : label }), 0.05);
      const found = metricLimits(f1, groups, options);
      if (found !== undefined && found.lower > truth) missed++;
    }
    expect(missed / trials).toBeLessThanOrEqual(0.06);
  });

  it("of an area are about it, and of characters about their bits", () => {
    const random = splitMix(4);
    const scored = records(random, (label, turned) => ({ score: (turned ? 1 - label : label) + random(), label }), 0.1);
    const area = metricLimits(auc, scored, options)!;
    expect(area.lower).toBeLessThan(area.estimate);
    expect(area.upper).toBeGreaterThan(area.estimate);
    const outcomes = scored.flat().map(({ compiled }) => compiled);
    expect(area.estimate).toBeCloseTo(auc.combine(outcomes, outcomes), 12);
    const coded = records(random, (label) => ({ bits: 5 * (1 + random()), count: 5, labels: [label] }), 0.1);
    const found = metricLimits(bits, coded, options)!;
    expect(found.estimate).toBeCloseTo(1.5, 1);
    expect(found.lower).toBeGreaterThan(1.4);
    expect(found.upper).toBeLessThan(1.6);
  });
});
