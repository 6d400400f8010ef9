import { describe, expect, it } from "vitest";
import { answerProbability, divergence, expectedCalibrationError } from "../../src/evidence/calibration.ts";
import { evaluate, type SampleRecord } from "../../src/evidence/evaluate.ts";
import { loadMetric } from "../../src/evidence/metric.ts";

const row = (...values: number[]) => ({
  dtype: "float32" as const,
  shape: [1, values.length],
  data: Float32Array.from(values),
});

describe("distributions", () => {
  it("are the same as logits and as probabilities", () => {
    expect(divergence(row(1, 2, 3), row(1, 2, 3))).toBe(0);
    expect(divergence(row(0, Math.log(3)), row(0, 0))).toBeCloseTo(0.25 * Math.log(0.5) + 0.75 * Math.log(1.5), 6);
    expect(divergence(row(0.25, 0.75), row(0.5, 0.5))).toBeCloseTo(0.25 * Math.log(0.5) + 0.75 * Math.log(1.5), 6);
    expect(answerProbability(row(0, Math.log(3)))).toBeCloseTo(0.75, 6);
    expect(divergence(row(1), row(1))).toBeNaN();
    // A zero code is not an infinite distance.
    expect(divergence(row(0.5, 0.5), row(1, 0))).toBeLessThan(8);
  });

  it("the answer is as sure as its least sure row", () => {
    const array = { dtype: "float32" as const, shape: [2, 2], data: Float32Array.from([0.9, 0.1, 0.4, 0.6]) };
    expect(answerProbability(array)).toBeCloseTo(0.6, 6);
  });

  it("calibration error: none where models are as often right as they say", () => {
    const answers = Array.from({ length: 100 }, (_, at) => ({ probability: 0.8, right: at % 5 !== 0 }));
    expect(expectedCalibrationError(answers)).toBeCloseTo(0, 12);
    expect(expectedCalibrationError(answers.map((answer) => ({ ...answer, probability: 1 })))).toBeCloseTo(0.2, 12);
  });

  it("reach the evaluation", async () => {
    const accuracy = await loadMetric("accuracy", "/");
    const records: SampleRecord[] = Array.from({ length: 40 }, (_, at) => ({
      id: String(at),
      group: String(at),
      slices: {},
      teacher: { labels: [1], correct: 1 },
      compiled: { labels: [1], correct: at % 4 === 0 ? 0 : 1 },
      confidence: { teacher: 1, compiled: 1 },
      probability: { teacher: 1, compiled: 0.95 },
      divergence: 0.01,
    }));
    const found = evaluate(accuracy, records, { seed: 0, alpha: 0.05 });
    expect(found.divergence).toBeCloseTo(0.01, 12);
    expect(found.calibrationError?.teacher).toBeCloseTo(0, 12);
    expect(found.calibrationError?.compiled).toBeCloseTo(0.2, 12);
  });
});
