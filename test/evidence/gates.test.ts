import { describe, expect, it } from "vitest";
import { GATES, type Gates, judge, type Measured } from "../../src/evidence/gates.ts";
import { gates as gateSchema } from "../../src/recipe/schema.ts";

const limits = { estimate: 0.002, lower: 0.001, upper: 0.0035, alpha: 0.05, method: "tango", groups: 500 } as const;
const slice = { metric: "accuracy", teacher: 0.94, compiled: 0.93, drop: 0.01, n: 900, groups: 90, agreement: 0.98 };

const measured: Measured = {
  accuracy: {
    ...{ metric: "accuracy", teacher: 0.94, compiled: 0.938, drop: 0.002, n: 10_000, groups: 500, agreement: 0.99 },
    limits: { ...limits, effectiveSamples: 9000 },
    metricLimits: { estimate: 0.938, lower: 0.93, upper: 0.945 },
    agreementLimits: { estimate: 0.99, lower: 0.985, upper: 0.993 },
    flips: { flipped: 100, harmful: 60, n: 10_000, share: { estimate: 0.006, lower: 0.004, upper: 0.008 } },
  },
  slices: [
    { ...slice, key: "font", value: "Lora", limits: { ...limits, upper: 0.02, effectiveSamples: 900 } },
    { ...slice, key: "font", value: "Roboto", drop: 0.004, limits: { ...limits, upper: 0.03, effectiveSamples: 300 } },
  ],
  latency: { cycles: 1000, ms: 0.5, efficiency: 0.4 },
  memory: { sramPeakBytes: 4096, weightBytes: 100, dramBytesPerInference: 200 },
  energy: { mJ: { low: 1, mid: 2, high: 3 } },
  floatTensors: 0,
  artifactBytes: 5000,
  escalation: { rate: 0.1, upper: 0.12 },
};

describe("judge", () => {
  it.each<[Gates, string]>([
    [{}, "pass"],
    [{ maxDrop: 0.004, maxMs: 2, maxSramBytes: 4096 }, "pass"],
    [{ maxDrop: 0.003 }, "incomplete"],
    [{ maxDrop: 0.001 }, "fail"],
    [{ maxDrop: 0.003, minAgreement: 0.995 }, "fail"],
    [{ minAgreement: 0.985 }, "pass"],
    [{ minAgreement: 0.986 }, "incomplete"],
    [{ maxSliceDrop: 0.03 }, "pass"],
    [{ maxSliceDrop: 0.025 }, "incomplete"],
    [{ maxSliceDrop: 0.009 }, "fail"],
    [{ maxHarmfulFlips: 0.007 }, "incomplete"],
    [{ minMetric: 0.935 }, "incomplete"],
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
    const { limits: _, ...few } = measured.accuracy!;
    expect(judge({ maxDrop: 1 }, { ...measured, accuracy: few }).verdict).toBe("incomplete");
    expect(
      judge({ maxSliceDrop: 1 }, { ...measured, slices: [...measured.slices!, { ...slice, key: "font", value: "x" }] })
        .verdict,
    ).toBe("incomplete");
    expect(judge({ maxSliceDrop: 1 }, { ...measured, slices: [] }).verdict).toBe("incomplete");
  });

  it("says the figures", () => {
    const { gates } = judge({ maxDrop: 0.001, minSamples: 2, minAgreement: 0.5, maxSliceDrop: 0.02 }, measured);
    expect(gates.map(({ reason }) => reason)).toEqual([
      "0.002 is not at most 0.001",
      "10000 is at least 2",
      "0.99, and 0.985 at worst, is at least 0.5",
      "0.01 was measured, but 0.03 is not excluded, which is not at most 0.02",
    ]);
    expect(gates[3].where).toBe("font = Roboto, 900 samples");
  });

  it("knows exactly the gates that a recipe may name and the one of what is certified later, and reads a figure for each", () => {
    expect(Object.keys(GATES).sort()).toEqual([...Object.keys(gateSchema.shape), "maxEscalationRate"].sort());
    for (const gate of Object.values(GATES)) expect(typeof gate.value(measured)).toBe("number");
  });
});
