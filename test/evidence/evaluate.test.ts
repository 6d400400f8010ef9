import { describe, expect, it } from "vitest";
import { evaluate, type SampleRecord, summarise } from "../../src/evidence/evaluate.ts";
import { loadMetric } from "../../src/evidence/metric.ts";

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
    const found = evaluate(accuracy, records, { seed: 1, alpha: 0.05 });
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
    const found = evaluate(auc, records, { seed: 1, alpha: 0.05 });
    expect(found.slices).toEqual([]);
    expect(found.drop).toBe(0);
    expect(() => evaluate(auc, records.slice(0, 1), { seed: 1, alpha: 0.05 })).toThrow(/both classes/);
  });
});
