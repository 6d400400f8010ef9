import { describe, expect, test } from "vitest";
import { lossOf } from "../../src/evidence/escalation/loss.ts";
import type { Evidence } from "../../src/findings/evidence.ts";
import { calibrationOf, riskOf } from "../../src/findings/risk.ts";

describe("losses", () => {
  test.each([
    [{ correct: 1, labels: [3] }, 0],
    [{ correct: 1, labels: [3, 4] }, 0.5],
    [{ errors: 3, length: 12, text: "" }, 0.25],
    [{ errors: 2, length: 0, text: "" }, 1],
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

  test("answers are ranked by the program's margin where each sample has one", () => {
    const rows = Array.from({ length: 5000 }, (_, at) => ({ ...sample, margin: at, compiled: at % 2 ? right : wrong }));
    const risk = riskOf(evidence(rows));
    expect(risk).toMatchObject({ by: "margin", augrc: { teacher: 0 }, n: 5000 });
    const { compiled } = risk as Extract<typeof risk, { by: unknown }>;
    expect(compiled.length).toBeLessThanOrEqual(121);
    expect(compiled.at(-1)).toEqual({ coverage: 1, risk: 0.5 });
    const without = riskOf(evidence([...rows, sample]));
    expect(without).toMatchObject({ by: "outputs", compiled: [{ coverage: 1, risk: 2500 / 5001 }] });
  });

  test("a sentence stands where samples say too little", () => {
    expect(riskOf(evidence([{ teacher: { score: 1 }, compiled: { score: 1 }, confidence: pair(1) }]))).toHaveProperty(
      "absent",
    );
    expect(riskOf(evidence([]))).toHaveProperty("absent");
    expect(calibrationOf(evidence([sample]))).toHaveProperty("absent");
  });
});
