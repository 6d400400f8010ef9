import { describe, expect, it } from "vitest";
import { splitMix } from "../../../src/data/random.ts";
import { clopperPearsonLower, clopperPearsonUpper } from "../../../src/evidence/statistics/proportions.ts";
import { shareLimits } from "../../../src/evidence/statistics/shares.ts";
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
    // 5 % and three standard errors; before, 17 to 54 % were.
    expect(above / trials).toBeLessThanOrEqual(0.088);
    expect(below).toBe(above);
  });
});
