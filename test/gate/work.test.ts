import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Lineage } from "../../src/artifact/lineage.ts";
import { loadMetric } from "../../src/evidence/metric.ts";
import { applyChanges, changedLines, changesOf } from "../../src/gate/accept.ts";
import { exchange, suspectsOf } from "../../src/gate/bisect.ts";
import { fits, parseBudgets } from "../../src/gate/budgets.ts";
import { diff } from "../../src/gate/diff.ts";
import { readEvidence } from "../../src/gate/evidence.ts";
import { planFromAssumptions, planFromRecords } from "../../src/gate/plan.ts";
import { planGate } from "../../src/gate/planning.ts";
import type { Recipe } from "../../src/recipe.ts";
import { folder, records, writeSample } from "./sample.ts";

const before = readEvidence(await writeSample("before"), "unsigned");
const after = readEvidence(await writeSample("after", { cycles: 1250, broken: 0.1 }), "unsigned");

describe("accept", () => {
  const TEXT = [
    "# what ships may cost",
    "budgets:",
    "    - artifact:   'aft*'   # the new one",
    "      gates: {maxCycles: 1_000,   maxDrop: 0.02}   # by contract",
    "      baseline:",
    "        limits:",
    "          maxCycles: 0   # never slower",
    "",
  ].join("\n");
  const path = join(folder, "accept.yaml");

  test("changes what was accepted and not a character more", () => {
    const text = TEXT.replace("1_000", "1000");
    const changes = changesOf(parseBudgets(text, path), after, { gates: ["maxCycles"], margin: 0 });
    const changed = applyChanges(text, changes, path);
    expect(changedLines(text, changed)).toEqual([
      "-       gates: {maxCycles: 1000,   maxDrop: 0.02}   # by contract",
      "+       gates: {maxCycles: 1250,   maxDrop: 0.02}   # by contract",
      "+         artifact: after.dopt"
        .replace("+         artifact", "+         digest")
        .replace("after.dopt", after.artifact.digest),
      "+         artifact: after.dopt",
    ]);
    const again = changesOf(parseBudgets(changed, path), after, { gates: ["maxCycles"], margin: 0 });
    expect(again).toEqual([]);
  });

  test("a drop is accepted at what its samples leave possible, and passes then", () => {
    const text = "budgets:\n  - artifact: after\n    gates:\n      maxDrop: 0.02\n";
    const [change] = changesOf(parseBudgets(text, path), after, { gates: ["maxDrop"], margin: 0 });
    const upper = after.measured.accuracy?.limits?.upper ?? Number.NaN;
    expect(change.after).toBeGreaterThanOrEqual(upper);
    expect(change.after).toBeLessThan(upper * 1.01);
  });

  test("refuses what no entry has", () => {
    const budgets = parseBudgets("budgets: [{ artifact: after, gates: { maxMs: 1 } }]", path);
    const accept = (gates: readonly string[]) => () => changesOf(budgets, after, { gates, margin: 0 });
    expect(accept(["maxCycles"])).toThrow(expect.objectContaining({ code: "usage/accept-gate" }));
    expect(() => changesOf(budgets, before, { gates: [], margin: 0 })).toThrow(/no budget fits/);
  });
});

describe("patterns of names", () => {
  test.each([
    ["*", "anything", true],
    ["ocr-*", "ocr-rec", true],
    ["*-rec", "ocr-rec", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["ab*ba", "aba", false],
    ["ocr.rec", "ocr-rec", false],
    [`${"*a".repeat(40)}b`, "a".repeat(5000), false],
  ])("%s %s", (pattern, name, expected) => expect(fits(pattern, name)).toBe(expected));
});

describe("diff", () => {
  test("figures, and the metric by pairs", async () => {
    const document = await diff(before, after, { folder });
    expect(document.figures.find(({ figure }) => figure === "cycles")).toEqual({
      figure: "cycles",
      before: 1000,
      after: 1250,
    });
    const { quality } = document;
    expect(quality?.drop).toBeGreaterThan(0.05);
    expect(quality?.interval?.low).toBeGreaterThan(0);
    expect(document.slices.map(({ key, value }) => `${key}=${value}`)).toEqual(["font=italic", "font=upright"]);
    // The sections of this artifact are no program: layers are left out, and it says why.
    expect(document.unprofiled).toBeDefined();
  });
});

describe("bisect", () => {
  const lineage = {
    compiler: { version: "1", digest: "c", dependencies: {} },
    emulator: { digest: "e" },
    recipe: { name: "r", digest: "r1" },
    teacher: { digest: "t1", external: [] },
    target: { name: "ai4", digest: "x", profile: "driving" },
    data: { calibration: { digest: "d1", samples: [] } },
    passes: [{ name: "fuse/a", before: "g0", after: "g1", options: {} }],
  } as unknown as Lineage;
  const inputs = (change: object) => suspectsOf(lineage, { ...lineage, ...change }).map(({ input }) => input);

  test("each input is named by what differs", () => {
    expect(inputs({})).toEqual([]);
    expect(inputs({ teacher: { digest: "t2", external: [] } })).toEqual(["teacher"]);
    expect(inputs({ data: { calibration: { digest: "d2", samples: [] } } })).toEqual(["data"]);
    expect(inputs({ passes: [{ ...lineage.passes[0], options: { bits: 4 } }] })).toEqual(["options"]);
    const options = { passes: [{ ...lineage.passes[0], options: { bits: 4, wide: true } }] };
    const others = { passes: [{ ...lineage.passes[0], options: { bits: 8, wide: true } }] };
    expect(suspectsOf({ ...lineage, ...options }, { ...lineage, ...others })).toEqual([
      { input: "options", before: '["fuse/a: bits 4"]', after: '["fuse/a: bits 8"]' },
    ]);
    expect(inputs({ passes: [], recipe: { name: "r", digest: "r2" } })).toEqual(["passes"]);
    expect(inputs({ target: { name: "ai4", digest: "x", profile: "parked" } })).toEqual(["target"]);
    expect(inputs({ compiler: { ...lineage.compiler, version: "2" } })).toEqual(["version"]);
    expect(inputs({ recipe: { name: "r", digest: "r2" } })).toEqual(["options"]);
  });

  test("one input is exchanged, and the certification data is never", () => {
    const data = (name: string) => ({ calibration: { npz: `${name}-c` }, certification: { npz: `${name}-t` } });
    const [a, b] = ["a", "b"].map(
      (name) => ({ model: name, target: name, profile: name, data: data(name) }) as unknown as Recipe,
    );
    expect(exchange(a, b, "teacher")).toMatchObject({ model: "b", target: "a" });
    expect(exchange(a, b, "data").data).toEqual({ calibration: { npz: "b-c" }, certification: { npz: "a-t" } });
    expect(exchange(a, b, "target")).toMatchObject({ model: "a", target: "b", profile: "b" });
  });
});

describe("how many labels", async () => {
  const metric = await loadMetric("accuracy", folder);

  test("from a pilot as from its own discordance; more for a tighter gate and for a later look", async () => {
    const pilot = { metric, records: records({ broken: 0.02, count: 2000 }) };
    const loose = planFromRecords("maxDrop", 0.02, 0.03, pilot);
    const tight = planFromRecords("maxDrop", 0.01, 0.03, pilot);
    expect(tight.samples).toBeGreaterThan(2 * loose.samples);
    expect(planFromRecords("maxDrop", 0.02, 0.003, pilot).samples).toBeGreaterThan(loose.samples);
    const document = await planGate(before.path, { trust: "unsigned", limit: 0.01 });
    expect(document).toMatchObject({ look: 2, plans: [{ gate: "maxDrop", limit: 0.01 }] });
  });

  test("groups cost what they are not worth", () => {
    const alone = planFromAssumptions("maxDrop", 0.01, 0.03, { discordance: 0.02, effect: 1, groupSize: 1 });
    const grouped = planFromAssumptions("maxDrop", 0.01, 0.03, { discordance: 0.02, effect: 3, groupSize: 10 });
    expect(grouped.samples).toBeGreaterThan(2 * alone.samples);
    expect(grouped.groups).toBeLessThan(grouped.samples / 9);
  });

  test("other metrics by the groups' own variance", async () => {
    const { ratio: _, ...whole } = metric;
    const pilot = { metric: whole, records: records({ broken: 0.02, count: 200 }) };
    const [loose, tight] = [0.02, 0.01].map((limit) => planFromRecords("maxDrop", limit, 0.03, pilot).samples);
    expect(tight / loose).toBeGreaterThan(3);
    expect(tight / loose).toBeLessThan(5);
  });

  test("a recipe alone does not say how much models differ", async () => {
    const recipe = join(folder, "r.yaml");
    writeFileSync(
      recipe,
      "model: x.onnx\ndata: { calibration: { npz: a }, certification: { npz: b } }\ngates: { maxDrop: 0.01 }\n",
    );
    await expect(planGate(recipe, { trust: "unsigned" })).rejects.toMatchObject({ code: "usage/plan-assumption" });
    const planned = await planGate(recipe, { trust: "unsigned", discordance: 0.02 });
    expect(planned).toMatchObject({ look: 1, plans: [{ gate: "maxDrop" }] });
    expect(() => planFromAssumptions("maxDrop", 0, 0.05, { discordance: 0.1, effect: 1, groupSize: 1 })).toThrow(
      /no number/,
    );
    expect(readFileSync(recipe, "utf8")).toContain("maxDrop");
  });
});
