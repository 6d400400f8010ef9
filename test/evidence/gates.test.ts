import { describe, expect, it } from "vitest";
import { GATES, type Gates, judge, type Measured } from "../../src/evidence/gates.ts";
import { gates as gateSchema } from "../../src/recipe/schema.ts";

const measured: Measured = {
  accuracy: { metric: "accuracy", teacher: 0.94, compiled: 0.938, drop: 0.002, n: 10_000, agreement: 0.99 },
  latency: { cycles: 1000, ms: 0.5, efficiency: 0.4 },
  memory: { sramPeakBytes: 4096, weightBytes: 100, dramBytesPerInference: 200 },
  energy: { mJ: { low: 1, mid: 2, high: 3 } },
  floatTensors: 0,
  artifactBytes: 5000,
};

describe("judge", () => {
  it.each<[Gates, string]>([
    [{}, "pass"],
    [{ maxDrop: 0.003, maxMs: 2, maxSramBytes: 4096 }, "pass"],
    [{ maxDrop: 0.001 }, "fail"],
    [{ maxDrop: 0.003, minAgreement: 0.995 }, "fail"],
    [{ minSamples: 10_000, minMetric: 0.9, maxFloatTensors: 0 }, "pass"],
    [{ minSamples: 10_001 }, "fail"],
    [{ maxMillijoules: 1.9 }, "fail"],
    [{ minEfficiency: 0.5 }, "fail"],
  ])("%j ends in %s", (gates, verdict) => {
    expect(judge(gates, measured).verdict).toBe(verdict);
  });

  it("never passes what was not measured, and fails before it calls evidence incomplete", () => {
    expect(judge({ maxDrop: 1 }, {}).verdict).toBe("incomplete");
    const broken = { ...measured, accuracy: { ...measured.accuracy!, drop: Number.NaN } };
    expect(judge({ maxDrop: 1 }, broken).gates[0]).toMatchObject({ verdict: "incomplete" });
    expect(judge({ maxDrop: Number.NaN }, measured).verdict).toBe("incomplete");
    expect(judge({ maxDrop: 1, maxMs: 0.1 }, broken).verdict).toBe("fail");
  });

  it("says the figures", () => {
    const { gates } = judge({ maxDrop: 0.001, maxMs: 2 }, measured);
    expect(gates.map(({ reason }) => reason)).toEqual(["0.002 is not at most 0.001", "0.5 is at most 2"]);
  });

  it("knows exactly the gates that a recipe may name, and reads a figure for each", () => {
    expect(Object.keys(GATES).sort()).toEqual(Object.keys(gateSchema.shape).sort());
    for (const gate of Object.values(GATES)) expect(typeof gate.value(measured)).toBe("number");
  });
});
