import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { canonicalBytes, type Json } from "../src/artifact/canonical.ts";
import type { SealedArtifact } from "../src/artifact/container.ts";
import { EVIDENCE_SCHEMA } from "../src/artifact/evidence.ts";
import { writeArtifact } from "../src/artifact/file.ts";
import { attestationsOf, verifyAttestations } from "../src/artifact/verify.ts";
import { certificateOf } from "../src/certificate.ts";
import { attest } from "../src/certify/attest.ts";
import { economicsOf } from "../src/economics.ts";
import { attestOperatingPoint, operatingPointOf, signedOperatingPoint } from "../src/escalation.ts";
import { clopperPearsonLower, clopperPearsonUpper } from "../src/evidence/statistics/proportions.ts";
import { parseBudgets } from "../src/gate/budgets.ts";
import type { Trust } from "../src/gate/evidence.ts";
import { gate } from "../src/gate.ts";
import { again, built, certified, keys } from "./verify/signed-artifact.ts";

const OPTIONS = { alpha: 0.05, system2Error: 0.01, system2Timeout: 0.001 };
const fresh = await built();
const outcome = (correct: number) => ({ labels: [0], correct });
const samples = Array.from({ length: 800 }, (_, at) => ({
  group: String(at),
  ...(at < 600 ? { margin: 7, compiled: outcome(1) } : { margin: 0, compiled: outcome(0) }),
  teacher: outcome(1),
  confidence: { teacher: 1, compiled: 1 },
}));

/** The certifier's own, with these samples. */
async function withSamples(all: readonly object[]): Promise<SealedArtifact> {
  const accuracy = { metric: "accuracy", teacher: 1, compiled: 0.75, drop: 0.25, n: all.length };
  const data = `sha256:${"8".repeat(64)}`;
  const openings = [{ number: 1, data, samples: all.length }];
  const judged = {
    digest: fresh.digest,
    verdict: "pass",
    gates: [],
    accuracy,
    looked: { look: 1, alpha: 0.04, ledger: "0".repeat(64) },
    openings,
  } as const;
  const evidence = canonicalBytes({
    schema: EVIDENCE_SCHEMA,
    ...judged,
    data: { digest: data, samples: all.length },
    samples: all,
  } as unknown as Json);
  return again(await attest(fresh, evidence, judged, keys.certifier.privateKey));
}
const artifact = await withSamples(samples);
const code = (wanted: string) => expect.objectContaining({ code: wanted }) as Error;

describe("an operating point", () => {
  it("is learned from the evidence, at the level that the look at the data has", () => {
    const point = operatingPointOf(artifact, OPTIONS);
    expect(point).toMatchObject({ margin: 7, escalationRate: 0.25, delta: 0.04, decisions: 800, groups: 800 });
    expect(point.escalatedLoss).toBeCloseTo(0.001 + 0.999 * 0.01, 12);
    expect(point.compiled.augrc).toBeGreaterThan(point.teacher.augrc);
  });

  it("is signed about the same bytes, replaced by a newer one, and read in the certificate", async () => {
    const point = operatingPointOf(artifact, OPTIONS);
    const key = keys.certifier.privateKey;
    const first = again(await attestOperatingPoint(artifact, point, key));
    const second = again(await attestOperatingPoint(first, operatingPointOf(first, { ...OPTIONS, alpha: 0.9 }), key));
    expect([first.digest, second.digest]).toEqual([fresh.digest, fresh.digest]);
    expect(signedOperatingPoint(artifact, keys.certifier.publicKey)).toBeUndefined();
    expect(signedOperatingPoint(first, keys.certifier.publicKey)).toMatchObject({ margin: 7, alpha: 0.05 });
    expect(signedOperatingPoint(second, keys.certifier.publicKey)).toMatchObject({ margin: 0, alpha: 0.9 });
    const third = again(await attestOperatingPoint(second, point, key));
    expect(signedOperatingPoint(third, keys.certifier.publicKey)).toMatchObject({ margin: 7, alpha: 0.05 });
    expect(attestationsOf(third)).toHaveLength(attestationsOf(second).length);
    verifyAttestations(third, { build: keys.build.publicKey, certifier: keys.certifier.publicKey });
    const { who } = certificateOf(first, [keys.build.publicKey, keys.certifier.publicKey]);
    expect(who.join("\n")).toContain("those of margin 7 or more; 0.25 of all go to System 2");
  });

  it("is not signed by another key, nor for other evidence", async () => {
    const point = operatingPointOf(artifact, OPTIONS);
    const by = (key: typeof keys.stranger) => attestOperatingPoint(artifact, point, key.privateKey);
    await expect(by(keys.stranger)).rejects.toThrow(code("trust/wrong-key"));
    const other = await withSamples(samples.slice(1));
    const swapped = attestOperatingPoint(other, point, keys.certifier.privateKey);
    await expect(swapped).rejects.toThrow(code("trust/evidence-swapped"));
  });

  it("wants evidence, margins, shares and a System 2 that is good enough", async () => {
    expect(() => operatingPointOf(fresh, OPTIONS)).toThrow(code("evidence/none"));
    const old = await certified(fresh);
    expect(() => operatingPointOf(old, OPTIONS)).toThrow(code("evidence/margins"));
    expect(() => operatingPointOf(artifact, { ...OPTIONS, alpha: 0 })).toThrow(code("usage/risk-limit"));
    expect(() => operatingPointOf(artifact, { ...OPTIONS, alpha: Number.NaN })).toThrow(code("usage/risk-limit"));
    expect(() => operatingPointOf(artifact, { ...OPTIONS, system2Error: 0.1 })).toThrow(code("gate/escalation"));
  });
});

describe("what it costs", () => {
  const prices = { decisions: 1000, callCost: 2, chipCost: 0, callMs: 100 };

  it("is told of the point, of its limit, and of what has the same risk", () => {
    const point = operatingPointOf(artifact, OPTIONS);
    const { assumed, certified, atMost, withoutChip, atEqualRisk, callsAvoidedAtEqualRisk } = economicsOf(
      artifact,
      point,
      { ...prices, chipMs: 1 },
    );
    expect(assumed).toEqual({ ...prices, chipMs: 1, timeoutMs: 100, timeout: 0.001 });
    expect(certified).toMatchObject({ calls: 250, costPerMonth: 500, ms: 26 });
    expect(atMost.calls).toBeCloseTo(1000 * point.escalationLimits.upper, 9);
    expect(withoutChip).toMatchObject({ calls: 1000, costPerMonth: 2000, ms: 100 });
    // Just what the chip has wrong is escalated: no blind mixture with System 2's own errors is as good.
    expect([point.chipRisk, atEqualRisk.blind, callsAvoidedAtEqualRisk]).toEqual([0.25, undefined, undefined]);
    const blind = economicsOf(artifact, { ...point, blindAtEqualRisk: 0.6 }, { ...prices, chipMs: 1 });
    expect([blind.atEqualRisk.blind?.calls, blind.callsAvoidedAtEqualRisk]).toEqual([600, 350]);
    expect([atEqualRisk.teacher?.escalated, point.compiled.escalationAtEqualRisk]).toEqual([0, 0.25]);
  });

  it("wants prices, and a time of the chip's", () => {
    const point = operatingPointOf(artifact, OPTIONS);
    expect(() => economicsOf(artifact, point, prices)).toThrow(code("evidence/latency"));
    for (const wrong of [{ callCost: -1 }, { callMs: Number.NaN }, { decisions: Number.POSITIVE_INFINITY }]) {
      expect(() => economicsOf(artifact, point, { ...prices, chipMs: 1, ...wrong })).toThrow(code("usage/prices"));
    }
  });
});

describe("the gate on how much is escalated", () => {
  const folder = mkdtempSync(join(tmpdir(), "escalation-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const trust = { build: keys.build.publicKey, certifier: keys.certifier.publicKey };

  async function judged(one: SealedArtifact, limit: number, whom: Trust = trust) {
    const path = join(folder, "small.dopt");
    writeArtifact(path, one);
    const text = `budgets: [{ artifact: small, gates: { maxEscalationRate: ${limit} } }]`;
    const { artifacts } = await gate([path], {
      trust: whom,
      budgets: parseBudgets(text, "b.yaml"),
      today: "2027-01-01",
    });
    return artifacts[0].gates[0];
  }

  it("judges the certified rate by what the samples do not exclude, at the level of the look", async () => {
    const point = operatingPointOf(artifact, OPTIONS);
    const { lower, upper } = point.escalationLimits;
    // Of 800 groups 200 are escalated: Clopper and Pearson at 4 % a side.
    expect(lower).toBeCloseTo(clopperPearsonLower(200, 800, 0.04), 12);
    expect(upper).toBeCloseTo(clopperPearsonUpper(200, 800, 0.04), 12);
    const signed = again(await attestOperatingPoint(artifact, point, keys.certifier.privateKey));
    expect(await judged(signed, 0.3)).toMatchObject({ verdict: "pass", value: 0.25, shown: upper });
    expect(await judged(signed, 0.26)).toMatchObject({ verdict: "incomplete", value: 0.25, shown: upper });
    expect(await judged(signed, 0.2)).toMatchObject({ verdict: "fail", value: 0.25 });
    expect(await judged(signed, 0.2, "unsigned")).toMatchObject({ verdict: "fail" });
  });

  it("judges it beside a baseline's, by what the samples do not exclude, too", async () => {
    const point = operatingPointOf(artifact, OPTIONS);
    const signed = again(await attestOperatingPoint(artifact, point, keys.certifier.privateKey));
    const path = join(folder, "small.dopt");
    writeArtifact(path, signed);
    const grown = async (growth: number) => {
      const limits = `baseline: { artifact: ${path}, limits: { maxEscalationRate: ${growth} } }`;
      const budgets = parseBudgets(`budgets: [{ artifact: small, ${limits} }]`, "b.yaml");
      return (await gate([path], { trust, budgets, today: "2027-01-01" })).artifacts[0].gates[0];
    };
    expect(await grown(0.5)).toMatchObject({ gate: "baseline.maxEscalationRate", verdict: "pass", limit: 0.375 });
    expect(await grown(0)).toMatchObject({ verdict: "incomplete", baseline: 0.25 });
    expect(await grown(-0.5)).toMatchObject({ verdict: "fail" });
  });

  it("is not enough evidence without a point about this very evidence", async () => {
    const missing = { verdict: "incomplete", reason: expect.stringContaining("no operating point was certified") };
    expect(await judged(artifact, 1)).toMatchObject(missing);
    const point = operatingPointOf(artifact, OPTIONS);
    const signed = again(await attestOperatingPoint(artifact, point, keys.certifier.privateKey));
    const later = await withSamples(samples.slice(1));
    const stale = again({
      manifest: later.manifest,
      sections: new Map(later.sections).set(
        "attestations",
        canonicalBytes([...attestationsOf(later), attestationsOf(signed).at(-1)] as Json[]),
      ),
    });
    const garbled = again({
      manifest: signed.manifest,
      sections: new Map(signed.sections).set("attestations", canonicalBytes([{}])),
    });
    const unread = { verdict: "incomplete", reason: expect.stringContaining("what is claimed cannot be read") };
    expect(await judged(garbled, 1, "unsigned")).toMatchObject(unread);
    expect(await judged(stale, 1)).toMatchObject({
      verdict: "incomplete",
      reason: expect.stringContaining("other evidence"),
    });
  });
});
