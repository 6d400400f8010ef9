import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readArtifact } from "../../src/artifact/file.ts";
import { readPrivateKey, readPublicKeys, writeKeyPair } from "../../src/artifact/keys.ts";
import { evidenceOf } from "../../src/findings/evidence.ts";
import { parseBudgets } from "../../src/gate/budgets.ts";
import { signWaiver, type Waiver } from "../../src/gate/waiver.ts";
import { type GateOptions, gate } from "../../src/gate.ts";
import type { GateDocument } from "../../src/report/gate-document.ts";
import { folder, writeSample } from "./sample.ts";

const good = await writeSample("good");
const slow = await writeSample("slow", { cycles: 1100 });
const broken = await writeSample("broken", { broken: 0.2 });
/** What training on permuted labels leaves: teacher and student agree, and both are wrong. */
const permuted = await writeSample("permuted", { wrong: 0.9 });

const today = "2026-11-22";
const judged = (path: string, text: string, more: Partial<GateOptions> = {}) =>
  gate([path], { trust: "unsigned", today, budgets: parseBudgets(text, join(folder, "budgets.yaml")), ...more });
const verdicts = ({ artifacts }: GateDocument) =>
  Object.fromEntries(artifacts[0].gates.map((line) => [line.gate, line.verdict]));

describe("absolute limits", () => {
  test("a good artifact passes, and the place of each limit is told", async () => {
    const text =
      'budgets:\n  - artifact: "g*d"\n    gates:\n      maxDrop: 0.02\n      maxCycles: 1000\n      minMetric: 0.9\n';
    const document = await judged(good, text);
    expect(document.verdict).toBe("pass");
    expect(document.artifacts[0].gates.map(({ place }) => place.line)).toEqual([4, 6, 5]);
    expect(document.artifacts[0]).toMatchObject({ name: "good", verified: false });
  });

  test("negative controls: a broken scale and permuted labels fail", async () => {
    const text = 'budgets: [{ artifact: "*", gates: { maxDrop: 0.02, minMetric: 0.8 } }]';
    expect(verdicts(await judged(broken, text))).toMatchObject({ maxDrop: "fail" });
    expect(verdicts(await judged(permuted, text))).toEqual({ maxDrop: "pass", minMetric: "fail" });
  });

  test("too few samples are not enough evidence, whatever they say", async () => {
    const few = await writeSample("few", { count: 20 });
    const document = await judged(few, "budgets: [{ artifact: few, gates: { maxDrop: 0.001 } }]");
    expect([document.verdict, verdicts(document)]).toEqual(["incomplete", { maxDrop: "incomplete" }]);
  });

  test("drops that nothing bounds from below are judged by their upper limits", async () => {
    const oneSided = await writeSample("one-sided", { oneSided: true });
    const text = 'budgets: [{ artifact: "*", gates: { maxDrop: 0.02, maxSliceDrop: 0.05 } }]';
    expect(await judged(oneSided, text)).toMatchObject({ verdict: (await judged(good, text)).verdict });
    const slices = (path: string) => evidenceOf(readArtifact(path))?.accuracy.slices.map(({ limits }) => limits?.upper);
    expect(slices(good)).toEqual([expect.any(Number), expect.any(Number)]);
    expect(slices(oneSided)).toEqual([undefined, undefined]);
  });

  test("missing evidence never passes", async () => {
    const bare = await writeSample("bare", {
      evidence: { accuracy: { drop: 0 }, latency: { cycles: "few" }, samples: [] },
    });
    const text = "budgets: [{ artifact: bare, gates: { maxDrop: 1, maxCycles: 1e9, maxEscalationRate: 1 } }]";
    const document = await judged(bare, text);
    expect(Object.values(verdicts(document))).toEqual(["incomplete", "incomplete", "incomplete"]);
    const empty = await judged(good, "budgets: [{ artifact: good }]");
    expect([empty.verdict, verdicts(empty)]).toEqual(["incomplete", { gates: "incomplete" }]);
  });

  test("without budgets the recipe's own gates count", async () => {
    const document = await gate([good, broken], { trust: "unsigned", today });
    expect(document.artifacts.map(({ verdict }) => verdict)).toEqual(["pass", "fail"]);
    expect(document.verdict).toBe("fail");
  });

  test("an artifact that no budget fits is not passed over", async () => {
    await expect(judged(good, "budgets: [{ artifact: other, gates: { maxCycles: 1 } }]")).rejects.toMatchObject({
      code: "usage/no-budget",
    });
  });
});

describe("limits beside a baseline", () => {
  const text = (limits: string) =>
    `budgets: [{ artifact: "*", baseline: { artifact: good.dopt, limits: { ${limits} } } }]`;

  test("cycles exactly", async () => {
    expect(verdicts(await judged(slow, text("maxCycles: 0.1")))).toEqual({ "baseline.maxCycles": "pass" });
    const document = await judged(slow, text("maxCycles: 0.099"));
    expect(document.artifacts[0].gates[0]).toMatchObject({ verdict: "fail", baseline: 1000, value: 1100 });
    expect(document.artifacts[0].gates[0].reason).toContain("+10 %");
  });

  test("the metric by pairs of the same samples", async () => {
    const limits = text("maxDrop: 0.02, maxSliceDrop: 0.05, maxHarmfulFlips: 0.02");
    expect((await judged(slow, limits)).verdict).toBe("pass");
    expect(verdicts(await judged(broken, limits))).toEqual({
      "baseline.maxDrop": "fail",
      "baseline.maxSliceDrop": "fail",
      "baseline.maxHarmfulFlips": "fail",
    });
  });

  test("other data cannot be paired", async () => {
    const other = await writeSample("other", { data: `sha256:${"e".repeat(64)}` });
    const document = await judged(other, text("maxDrop: 0.5"));
    expect(document.artifacts[0].gates[0]).toMatchObject({
      verdict: "incomplete",
      reason: "the two were judged on different data",
    });
  });

  test("another artifact than the one accepted is refused", async () => {
    const pinned = `budgets: [{ artifact: "*", baseline: { artifact: good.dopt, digest: "sha256:${"0".repeat(64)}", limits: { maxCycles: 1 } } }]`;
    await expect(judged(slow, pinned)).rejects.toMatchObject({ code: "trust/other-baseline" });
  });

  test("no baseline, no pass; a metric that the artifact brings along is not loaded", async () => {
    const none = await judged(slow, 'budgets: [{ artifact: "*", baseline: { limits: { maxCycles: 9 } } }]');
    expect(none.verdict).toBe("incomplete");
    const evidence = { metric: "/tmp/evil.mjs" };
    const [a, b] = [await writeSample("evil-a", { evidence }), await writeSample("evil-b", { evidence })];
    await expect(judged(a, text("maxDrop: 1"), { baseline: b })).rejects.toMatchObject({ code: "usage/own-metric" });
  });
});

describe("the budgets file", () => {
  test.each([
    ["budgets: [{ artifact: x, gates: { maxCycels: 1 } }]", "usage/unknown-gate", 'did you mean "maxCycles"?'],
    ["budgets: [{ artifact: x, gate: { maxCycles: 1 } }]", "usage/unknown-key", 'did you mean "gates"?'],
    [
      "budgets: [{ artifact: x, baseline: { limits: { maxDrip: 1 } } }]",
      "usage/unknown-gate",
      'did you mean "maxDrop"?',
    ],
  ])("%s", (text, code, remedy) => {
    expect(() => parseBudgets(text, "b.yaml")).toThrow(expect.objectContaining({ code, remedy }));
  });

  test("errors point at the place", () => {
    const error = expect.objectContaining({
      code: "usage/budgets",
      where: expect.stringMatching(/b\.yaml:3:\d+\n.*\n.*\^/),
    });
    expect(() => parseBudgets("budgets:\n  - artifact: x\n    gates: { maxDrop: much }\n", "b.yaml")).toThrow(error);
    expect(() => parseBudgets("budgets: [", "b.yaml")).toThrow(
      expect.objectContaining({ code: "usage/budgets-syntax" }),
    );
  });
});

describe("waivers", async () => {
  const owner = join(folder, "owner.pem");
  const stranger = join(folder, "stranger.pem");
  for (const path of [owner, stranger]) writeKeyPair(path, "ed25519");
  const keys = readPublicKeys(join(folder, "owner.pub.pem"));
  const text = 'budgets: [{ artifact: "*", gates: { maxCycles: 1000, maxDrop: 0.1 } }]';
  const base: Waiver = { gate: "maxCycles", artifact: "slow", until: today, reason: "the array moved" };
  let count = 0;

  async function waived(change: Partial<Waiver>, key = owner, spoil = (bytes: string) => bytes) {
    const file = join(folder, `waiver-${count++}.json`);
    const bytes = await signWaiver({ ...base, ...change }, readPrivateKey(key));
    writeFileSync(file, spoil(new TextDecoder().decode(bytes)));
    return judged(slow, text, { waivers: { files: [file], keys } });
  }

  test("holds to the end of its last day, by name and by digest, and is shown", async () => {
    const document = await waived({});
    expect([document.verdict, verdicts(document)]).toEqual(["pass", { maxCycles: "waived", maxDrop: "pass" }]);
    expect(document.artifacts[0].gates.find(({ waiver }) => waiver)?.waiver).toMatchObject({
      until: today,
      reason: "the array moved",
    });
    expect((await waived({ artifact: document.artifacts[0].digest })).verdict).toBe("pass");
  });

  test.each([
    ["expired", { until: "2026-11-21" }, "gate/waiver-expired"],
    ["of another artifact", { artifact: "good" }, "gate/waiver-other-artifact"],
    ["of another digest", { artifact: `sha256:${"1".repeat(64)}` }, "gate/waiver-other-artifact"],
  ])("one %s is refused, and the gate fails", async (_, change, code) => {
    const document = await waived(change);
    expect([document.verdict, document.refusedWaivers[0].code]).toEqual(["fail", code]);
  });

  test("another key, a changed word, an unknown gate, no calendar day", async () => {
    await expect(waived({}, stranger)).rejects.toMatchObject({ code: "trust/waiver-key" });
    const later = (json: string) => {
      const bundle = JSON.parse(json) as { dsseEnvelope: { payload: string } };
      const payload = Buffer.from(bundle.dsseEnvelope.payload, "base64").toString().replace(today, "2099-12-31");
      bundle.dsseEnvelope.payload = Buffer.from(payload).toString("base64");
      return JSON.stringify(bundle);
    };
    await expect(waived({}, owner, later)).rejects.toMatchObject({ code: "trust/signature" });
    await expect(waived({}, owner, () => "{}")).rejects.toMatchObject({ code: "trust/waiver" });
    await expect(waived({ gate: "maxCycels" })).rejects.toMatchObject({ code: "usage/waiver-unknown-gate" });
    await expect(waived({ until: "2026-02-30" })).rejects.toMatchObject({ code: "usage/waiver" });
  });

  test("missing evidence cannot be waived", async () => {
    const few = await writeSample("slow-few", { count: 20 });
    const file = join(folder, "missing.json");
    const waiver = { ...base, gate: "maxDrop", artifact: "slow-few" };
    writeFileSync(file, await signWaiver(waiver, readPrivateKey(owner)));
    const budget = "budgets: [{ artifact: slow-few, gates: { maxDrop: 0.001 } }]";
    expect((await judged(few, budget, { waivers: { files: [file], keys } })).verdict).toBe("incomplete");
  });
});
