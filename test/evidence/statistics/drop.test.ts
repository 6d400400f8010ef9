import { describe, expect, it } from "vitest";
import { splitMix } from "../../../src/data/random.ts";
import { loadMetric } from "../../../src/evidence/metric.ts";
import { quantile } from "../../../src/evidence/statistics/bootstrap.ts";
import { byGroup } from "../../../src/evidence/statistics/clusters.ts";
import { overDraws } from "../../../src/evidence/statistics/draws.ts";
import { dropLimits, limitsFrom, reductionOf } from "../../../src/evidence/statistics/drop.ts";
import type { Outcomes } from "../../../src/evidence/statistics/outcomes.ts";
import { planFromPilot, planProportions } from "../../../src/evidence/statistics/plan.ts";
import {
  clopperPearsonLower,
  clopperPearsonUpper,
  tangoLower,
  tangoUpper,
} from "../../../src/evidence/statistics/proportions.ts";
import { alphaOfLook, TOTAL_ALPHA } from "../../../src/evidence/statistics/spending.ts";
import { unseenEffect } from "../../../src/evidence/statistics/unseen.ts";

const accuracy = await loadMetric("accuracy", "/");
const auc = await loadMetric("auc", "/");
const bits = await loadMetric("bitsPerCharacter", "/");

const binary = (group: string, teacher: boolean, compiled: boolean): Outcomes => {
  const outcome = (right: boolean) => ({ labels: [right ? 1 : 0], correct: right ? 1 : 0 });
  return { group, teacher: outcome(teacher), compiled: outcome(compiled) };
};

/** Groups that go wrong as wholes with chance `rate`, and samples that do on their own with chance `alone`. */
function clustered(seed: number, groups: number, size: number, rate: number, alone: number): Outcomes[] {
  const random = splitMix(seed);
  return Array.from({ length: groups }, (_, group) => {
    const bad = random() < rate;
    return Array.from({ length: size }, () => binary(`g${group}`, true, !(bad || random() < alone)));
  }).flat();
}

describe("proportions", () => {
  it("Clopper and Pearson: the rule of three, and the textbook's 10 of 100", () => {
    expect(clopperPearsonUpper(0, 100, 0.05)).toBeCloseTo(1 - 0.05 ** 0.01, 12);
    expect(clopperPearsonLower(10, 100, 0.025)).toBeCloseTo(0.0490047, 6);
    expect(clopperPearsonUpper(10, 100, 0.025)).toBeCloseTo(0.1762226, 6);
  });

  it("Tango: symmetric in the models, around the estimate, and closed where no pair differs", () => {
    const pairs = { n: 50, worse: 9, better: 1 };
    const z = 1.959963984540054;
    const upper = tangoUpper(pairs, z);
    const lower = tangoLower(pairs, z);
    expect(lower).toBeLessThan(8 / 50);
    expect(upper).toBeGreaterThan(8 / 50);
    expect(tangoUpper({ n: 50, worse: 1, better: 9 }, z)).toBeCloseTo(-lower, 10);
    // No pair differs: z²/(n + z²).
    expect(tangoUpper({ n: 100, worse: 0, better: 0 }, z)).toBeCloseTo((z * z) / (100 + z * z), 8);
  });
});

describe("dropLimits", () => {
  const at = { alpha: 0.05, seed: 3 };

  it("is the same for the same seed and says nothing about fewer than 8 groups", () => {
    const records = clustered(1, 50, 5, 0.1, 0.05);
    expect(dropLimits(accuracy, records, at)).toEqual(dropLimits(accuracy, records, at));
    expect(dropLimits(accuracy, clustered(1, 7, 5, 0.1, 0.1), at)).toBeUndefined();
  });

  it("leaves a true drop above its upper limit about as often as it says, where groups go wrong together", () => {
    let below = 0;
    const trials = 400;
    for (let trial = 0; trial < trials; trial++) {
      const { upper } = dropLimits(accuracy, clustered(trial, 60, 5, 0.2, 0), { alpha: 0.05, seed: trial })!;
      if (upper < 0.2) below++;
    }
    // 5 % of 400 and three standard errors.
    expect(below).toBeLessThanOrEqual(33);
    expect(below).toBeGreaterThan(2);
  });

  it("does not call two models equal because no sample differed", () => {
    const same = Array.from({ length: 300 }, (_, index) => binary(String(index), index % 3 > 0, index % 3 > 0));
    const { estimate, upper } = dropLimits(accuracy, same, at)!;
    expect(estimate).toBe(0);
    expect(upper).toBeGreaterThan(0.008);
    const codes = same.map(({ group }, index) => ({
      group,
      teacher: { bits: 2, count: 1, labels: [index] },
      compiled: { bits: 2, count: 1, labels: [index] },
    }));
    expect(dropLimits(bits, codes, at)!.upper).toBeGreaterThan(0.008);
  });

  it("gives a metric that is no ratio of sums its limits from influences, or from whole evaluations", () => {
    const random = splitMix(5);
    const records = Array.from({ length: 400 }, (_, index) => {
      const label = index % 2;
      const score = label + 2 * random();
      return { group: `g${index % 40}`, teacher: { score, label }, compiled: { score: score + 0.4 * random(), label } };
    });
    const found = dropLimits(auc, records, at)!;
    expect(found.method).toBe("score");
    const { influence: _, ...plain } = auc;
    const drawn = dropLimits(plain, records, at)!;
    expect(drawn.method).toBe("bootstrap");
    expect(found.estimate).toBeCloseTo(drawn.estimate, 12);
    expect((found.upper - found.lower) / (drawn.upper - drawn.lower)).toBeCloseTo(1, 0);
    expect(found.lower).toBeLessThan(found.estimate);
    expect(found.upper).toBeGreaterThan(found.estimate);
    expect(found.upper - found.lower).toBeLessThan(0.05);
  });
});

describe("what groups may hide", () => {
  const groups = (bad: readonly number[]) => Array.from({ length: 20 }, (_, at) => ({ sum: bad[at] ?? 0, size: 60 }));

  it("is much where nothing, or little, was seen, and little where much was", () => {
    const [none, one, spread] = [[], [1], [2, 3, 1, 2, 4, 2, 1, 3, 2, 2, 3, 1, 2, 2, 1, 3, 2, 1, 2, 4]].map((bad) =>
      unseenEffect(groups(bad)),
    );
    expect(none).toBeCloseTo(1 + 59 / 2, 10);
    expect(one).toBeGreaterThan(5);
    expect(spread).toBeLessThan(2.5);
    expect(unseenEffect(groups([60]))).toBeCloseTo(none, 10);
    expect(unseenEffect([{ sum: 0, size: 1, count: 50 }])).toBe(1);
  });

  it("keeps a gate shut that 20 groups without a difference cannot open", () => {
    const quiet = clustered(1, 20, 60, 0, 0);
    expect(dropLimits(accuracy, quiet, { alpha: 0.05, seed: 1 })!.upper).toBeGreaterThan(0.03);
  });

  it("rests on the same sums, whether groups are listed or counted", () => {
    const reduction = reductionOf(accuracy, byGroup(clustered(7, 30, 6, 0.1, 0.05)))!;
    const twice = limitsFrom(reduction, [...reduction.parts, ...reduction.parts], 0.05);
    const counted = limitsFrom(
      reduction,
      reduction.parts.map((part) => ({ ...part, count: 2 })),
      0.05,
    );
    expect(counted.upper).toBeCloseTo(twice.upper, 10);
  });
});

describe("plans", () => {
  it("pass the gate in nine of ten trials without a true drop, and no sooner", () => {
    const plan = planProportions({ limit: 0.02, alpha: 0.05 }, { discordance: 0.02 })!;
    const share = (samples: number) => {
      let passed = 0;
      for (let trial = 0; trial < 300; trial++) {
        const random = splitMix(trial);
        const records = Array.from({ length: samples }, (_, index) => {
          const draw = random();
          return binary(String(index), draw >= 0.01, draw < 0.01 || draw >= 0.02);
        });
        if (dropLimits(accuracy, records, { alpha: 0.05, seed: 0 })!.upper <= 0.02) passed++;
      }
      return passed / 300;
    };
    expect(share(plan.samples)).toBeGreaterThan(0.86);
    expect(share(Math.floor(plan.samples / 2))).toBeLessThan(0.8);
  });

  it("need more where groups go wrong together, and where the gate is narrow", () => {
    const plan = (limit: number, effect: number) =>
      planProportions({ limit, alpha: 0.05, groupSize: 10 }, { discordance: 0.01, effect })!.samples;
    expect(plan(0.01, 3)).toBeGreaterThan(2.5 * plan(0.01, 1));
    expect(plan(0.005, 1)).toBeGreaterThan(2 * plan(0.01, 1));
    const pilot = clustered(3, 40, 10, 0.02, 0.01);
    const reduction = reductionOf(accuracy, byGroup(pilot))!;
    const [narrow, wide] = [0.02, 0.04].map((limit) => planFromPilot({ limit, alpha: 0.05 }, reduction)!.groups);
    expect(narrow).toBeGreaterThan(2 * wide);
  });

  it("of a pilot without any difference do not take for granted that there is none", () => {
    const pilot = Array.from({ length: 200 }, (_, at) => binary(String(at), true, true));
    const plan = planFromPilot({ limit: 0.01, alpha: 0.05 }, reductionOf(accuracy, byGroup(pilot))!)!;
    // Without a single difference in it, certification data of 300 would do.
    expect(plan.groups).toBeGreaterThan(330);
  });
});

it("all looks that there can be spend no more than there is", () => {
  let spent = 0;
  for (let look = 1; look < 100_000; look++) spent += alphaOfLook(look);
  expect(spent).toBeLessThan(TOTAL_ALPHA);
  expect(spent).toBeGreaterThan(TOTAL_ALPHA * 0.999);
});

it("quantile interpolates", () => {
  expect([0, 0.25, 0.5, 1].map((q) => quantile([1, 2, 4], q))).toEqual([1, 1.5, 2, 4]);
});

it("a metric's own way over draws is the metric of the repeated outcomes", () => {
  const random = splitMix(11);
  const groups = Array.from({ length: 9 }, (_, group) =>
    Array.from({ length: 1 + (group % 4) }, () => {
      const label = random() < 0.5 ? 1 : 0;
      const outcome = { score: Math.round((label + 2 * random()) * 4) / 4, label };
      return { group: `g${group}`, teacher: outcome, compiled: outcome };
    }),
  );
  const { weighted: _, ...plain } = auc;
  const own = overDraws(auc, groups, ({ compiled }) => compiled);
  const repeated = overDraws(plain, groups, ({ compiled }) => compiled);
  for (let trial = 0; trial < 50; trial++) {
    const weights = Int32Array.from(groups, () => Math.floor(random() * 4));
    const found = own(weights);
    expect(found).toBeCloseTo(repeated(weights), 12);
  }
});

it("influences of the area are what leaving a group out changes", () => {
  const random = splitMix(4);
  const group = Uint32Array.from({ length: 300 }, (_, at) => Math.floor(at / 6));
  const outcomes = Array.from({ length: 300 }, () => {
    const label = random() < 0.4 ? 1 : 0;
    return { score: Math.round(8 * (label + 2 * random())), label };
  });
  const { value, each } = auc.influence!(outcomes, outcomes, group);
  expect(value).toBeCloseTo(auc.combine(outcomes, outcomes), 12);
  for (let left = 0; left < 50; left++) {
    const others = outcomes.filter((_, at) => group[at] !== left);
    const part = each.reduce((sum, one, at) => sum + (group[at] === left ? one : 0), 0);
    // To first order: what is left out is the product of two parts of a fiftieth.
    expect(Math.abs(value - auc.combine(others, others) - part)).toBeLessThan(1e-3);
  }
});
