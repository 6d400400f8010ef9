import { describe, expect, it } from "vitest";
import { splitMix } from "../../src/data/random.ts";
import { evaluate, type SampleRecord, summarise } from "../../src/evidence/evaluate.ts";
import { loadMetric } from "../../src/evidence/metric.ts";
import { pairedInterval, quantile } from "../../src/evidence/statistics.ts";

const accuracy = await loadMetric("accuracy", "/");
const auc = await loadMetric("auc", "/");

function record(index: number, teacher: boolean, compiled: boolean, group = String(index)): SampleRecord {
  const outcome = (right: boolean) => ({ labels: [right ? 1 : 0], correct: right ? 1 : 0 });
  return {
    id: String(index),
    group,
    slices: { parity: index % 2 ? "odd" : "even", name: String(index) },
    teacher: outcome(teacher),
    compiled: outcome(compiled),
    confidence: { teacher: 1, compiled: 1 },
  };
}

describe("evaluate", () => {
  it("gives both metrics, the drop, the agreement and the slices, but not slices that are names", () => {
    const records = Array.from({ length: 200 }, (_, index) => record(index, true, index % 4 !== 1));
    const found = evaluate(accuracy, records, { seed: 1 });
    expect(found).toMatchObject({ teacher: 1, compiled: 0.75, drop: 0.25, n: 200, groups: 200, agreement: 0.75 });
    expect(found.slices.map(({ key, value, drop, n }) => [key, value, drop, n])).toEqual([
      ["parity", "even", 0, 100],
      ["parity", "odd", 0.5, 100],
    ]);
  });

  it("has a positive drop for the worse model in either direction", () => {
    const lower = { ...accuracy, direction: "lower" as const };
    expect(summarise(accuracy, [record(0, true, false)]).drop).toBe(1);
    expect(summarise(lower, [record(0, true, false)]).drop).toBe(-1);
  });

  it("leaves out a slice that lacks a class, but not the whole evaluation", () => {
    const one = (index: number, label: number, score: number): SampleRecord => ({
      ...record(index, true, true, `g${index}`),
      teacher: { score, label },
      compiled: { score, label },
      slices: { kind: label ? "a" : "b" },
    });
    const records = Array.from({ length: 20 }, (_, index) => one(index, index % 2, index));
    const found = evaluate(auc, records, { seed: 1 });
    expect(found.slices).toEqual([]);
    expect(found.drop).toBe(0);
    expect(() => evaluate(auc, records.slice(0, 1), { seed: 1 })).toThrow(/both classes/);
  });
});

describe("pairedInterval", () => {
  const clustered = (seed: number, groups: number): SampleRecord[] => {
    const random = splitMix(seed);
    return Array.from({ length: groups }, (_, group) => {
      const worse = random() < 0.2;
      return Array.from({ length: 5 }, (_, at) => record(group * 5 + at, true, !worse, `g${group}`));
    }).flat();
  };

  it("is the same for the same seed and says nothing about fewer than 8 groups", () => {
    const records = clustered(1, 50);
    expect(pairedInterval(accuracy, records, { seed: 3 })).toEqual(pairedInterval(accuracy, records, { seed: 3 }));
    expect(pairedInterval(accuracy, records, { seed: 3 })).not.toEqual(pairedInterval(accuracy, records, { seed: 4 }));
    expect(pairedInterval(accuracy, clustered(1, 7), { seed: 3 })).toBeUndefined();
  });

  it("covers the true drop about as often as it says, where whole groups go wrong together", () => {
    let covered = 0;
    const trials = 100;
    for (let trial = 0; trial < trials; trial++) {
      const { low, high } = pairedInterval(accuracy, clustered(trial, 60), { seed: trial })!;
      if (low <= 0.2 && 0.2 <= high) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(87);
  });

  it("is a point where both models always agree", () => {
    const records = Array.from({ length: 30 }, (_, index) => record(index, index % 3 > 0, index % 3 > 0));
    expect(pairedInterval(accuracy, records, { seed: 0 })).toMatchObject({ low: 0, high: 0 });
  });
});

it("quantile interpolates", () => {
  expect([0, 0.25, 0.5, 1].map((q) => quantile([1, 2, 4], q))).toEqual([1, 1.5, 2, 4]);
});
