import { describe, expect, test } from "vitest";
import type { Evidence } from "../../src/findings/evidence.ts";
import { calibrationOf, lossOf, riskCurve, riskOf } from "../../src/findings/risk.ts";

describe("risk over coverage", () => {
  test("is the mean loss of the surest answers, whose mean over all shares is the area", () => {
    const rows = [
      { confidence: 0.9, loss: 0 },
      { confidence: 0.1, loss: 1 },
      { confidence: 0.5, loss: 1 },
      { confidence: 0.7, loss: 0 },
    ];
    const { points, area } = riskCurve(rows);
    expect(points.map(({ coverage, risk }) => [coverage, risk])).toEqual([
      [0.25, 0],
      [0.5, 0],
      [0.75, 1 / 3],
      [1, 0.5],
    ]);
    expect(area).toBeCloseTo((0 + 0 + 1 / 3 + 1 / 2) / 4, 12);
  });

  test("takes answers of equal confidence together, in whatever order they came", () => {
    const rows = [1, 0, 0, 1, 0].map((loss) => ({ confidence: 0.5, loss }));
    expect(riskCurve(rows)).toEqual({ points: [{ coverage: 1, risk: 0.4 }], area: expect.closeTo(0.4, 12) });
  });

  test("ends at the whole, however many points are left out", () => {
    const rows = Array.from({ length: 5000 }, (_, at) => ({ confidence: -at, loss: at % 2 }));
    const { points } = riskCurve(rows);
    expect(points.length).toBeLessThanOrEqual(121);
    expect(points.at(-1)).toEqual({ coverage: 1, risk: 0.5 });
  });
});

describe("losses", () => {
  test.each([
    [{ correct: 1, labels: [3] }, 0],
    [{ correct: 1, labels: [3, 4] }, 0.5],
    [{ errors: 3, length: 12, text: "" }, 0.25],
    [{ errors: 2, length: 0, text: "" }, 2],
    [{ score: 0.3 }, undefined],
  ])("%j", (outcome, loss) => expect(lossOf(outcome)).toBe(loss));
});

const pair = (both: number) => ({ teacher: both, compiled: both });

function evidence(samples: Evidence["samples"], calibrationError?: { teacher: number; compiled: number }): Evidence {
  const accuracy = { metric: "accuracy", teacher: 1, compiled: 1, drop: 0, n: 2, groups: 2, agreement: 1, slices: [] };
  return {
    verdict: "pass",
    gates: [],
    accuracy: { ...accuracy, ...(calibrationError && { calibrationError }) },
    latency: { cycles: 1, ms: 1 },
    memory: { sramPeakBytes: 1, weightBytes: 1, dramBytesPerInference: 1 },
    samples,
  };
}

describe("of evidence", () => {
  const right = { correct: 1, labels: [1] };
  const wrong = { correct: 0, labels: [1] };
  const sample = { teacher: right, compiled: right, confidence: pair(1), probability: pair(0.99) };

  test("both models have a curve, and bins of how honest they are", () => {
    const all = evidence(
      [sample, { ...sample, compiled: wrong, probability: { teacher: 0.5, compiled: 0.98 } }],
      pair(0.1),
    );
    expect(riskOf(all)).toMatchObject({ aurc: { teacher: 0, compiled: 0.5 }, n: 2 });
    expect(calibrationOf(all)).toMatchObject({
      before: 0.1,
      bins: { compiled: [{ count: 2, right: 0.5, probability: 0.985 }], teacher: [{ count: 1 }, { count: 1 }] },
    });
  });

  test("a sentence stands where samples say too little", () => {
    expect(riskOf(evidence([{ teacher: { score: 1 }, compiled: { score: 1 }, confidence: pair(1) }]))).toHaveProperty(
      "absent",
    );
    expect(riskOf(evidence([]))).toHaveProperty("absent");
    expect(calibrationOf(evidence([sample]))).toHaveProperty("absent");
  });
});
