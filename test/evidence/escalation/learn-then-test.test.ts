import { describe, expect, it } from "vitest";
import { splitMix } from "../../../src/data/random.ts";
import { groupPValue, learnThreshold } from "../../../src/evidence/escalation/learn-then-test.ts";

const limits = { alpha: 0.05, delta: 0.05, escalatedLoss: 0.01 };
const many = (count: number, margin: number, loss: number) =>
  Array.from({ length: count }, (_, at) => ({ group: `${margin}-${at}`, margin, loss }));

describe("p-values of groups", () => {
  it("are rarely small at the border of the hypothesis", () => {
    const random = splitMix(3);
    let rejected = 0;
    for (let run = 0; run < 1000; run++) {
      const groups = Array.from({ length: 100 }, () => ({ loss: random() < 0.1 ? 5 : 0, size: 5 }));
      if (groupPValue(groups, 0.1, 5) <= 0.05) rejected++;
    }
    expect(rejected).toBeLessThan(50);
  });

  it("get small with evidence, which whole groups are and their members are not", () => {
    const one = Array.from({ length: 200 }, () => ({ loss: 0, size: 1 }));
    const larger = Array.from({ length: 200 }, () => ({ loss: 0, size: 10 }));
    expect(groupPValue(one, 0.05, 1)).toBeLessThan(0.001);
    expect(groupPValue(larger, 0.05, 10)).toBeCloseTo(groupPValue(one, 0.05, 1), 12);
    expect(groupPValue(one, 0.05, 10)).toBeGreaterThan(0.1);
  });
});

describe("the threshold", () => {
  it("keeps sure answers and escalates what is often wrong", () => {
    const found = learnThreshold([...many(600, 9, 0), ...many(600, 4, 0), ...many(300, 0, 1)], limits);
    expect(found).toMatchObject({ margin: 4, escalationRate: 0.2 });
    expect(found?.risk).toBeCloseTo(0.002, 12);
  });

  it("stops at the first that is not shown, though a later one might be", () => {
    const found = learnThreshold([...many(100, 9, 1), ...many(2000, 4, 0)], { ...limits, escalatedLoss: 0.04 });
    expect(found).toMatchObject({ margin: null, escalationRate: 1, pValue: 0 });
  });

  it("escalates everything on too little data, and is none where System 2 is not good enough", () => {
    expect(learnThreshold(many(5, 9, 0), limits)?.margin).toBeNull();
    expect(learnThreshold(many(5, 9, 0), { ...limits, escalatedLoss: 0.06 })).toBeUndefined();
  });
});
