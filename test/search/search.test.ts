import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeArtifact } from "../../src/artifact/container.ts";
import { decodeLineage } from "../../src/artifact/lineage.ts";
import { make } from "../../src/build.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { optimus } from "../cli/command.ts";
import { network, project } from "./project.ts";

const folder = mkdtempSync(join(tmpdir(), "search-"));
const recipe = project(folder, network(), ["goal: { maxDrop: 0.06, maxMs: 1, samples: 16, tries: 4 }"]);

async function searched(set: readonly string[]) {
  const { sealed } = await make(loadRecipe(recipe, { set }));
  return decodeLineage(sealed.sections.get("lineage"));
}

describe("a recipe with a goal", { timeout: 240_000 }, () => {
  test("builds the cheapest plan that holds it, and says what it looked at", async () => {
    const { code, stdout, stderr } = await optimus(["build", recipe, "--out", folder, "--no-cache"]);
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error|bug/)]);
    expect(stdout).toMatch(/formats for: drop at most 6\.00 points, at most 1 ms/);
    expect(stdout).toMatch(/→ {2}.*W4A16/);
    const { sections } = decodeArtifact(readFileSync(join(folder, "net.dopt")));
    const { search, passes } = decodeLineage(sections.get("lineage"));
    expect(search).toMatchObject({ metric: "accuracy", teacher: 1, samples: { layers: 16, plans: 160 } });
    const [chosen] = search?.front.filter((plan) => plan.chosen) ?? [];
    expect(chosen.measured?.drop).toBeLessThanOrEqual(0.06);
    expect(Math.abs(chosen.ms / (chosen.measured?.ms ?? 0) - 1)).toBeLessThan(0.03);
    expect(passes.find(({ name }) => name === "quantize/int8")?.options.formats).toEqual(search?.formats);
    expect(Object.keys(search?.formats ?? {})).toEqual(expect.arrayContaining([expect.stringMatching(/^\/layer/)]));
    for (const { formats } of search?.distances ?? []) {
      expect(formats.W4A8).toBeGreaterThan(formats.W8A16);
    }
  });

  test("says beforehand how much there is to try", async () => {
    const { code, stdout } = await optimus(["build", recipe, "--dry-run"]);
    const says =
      /search +about 3 layers in 4 formats, one by one on 16 of 160.*about 7 plans scheduled; at most 4 built/;
    expect([code, stdout]).toEqual([0, expect.stringMatching(says)]);
  });

  test("is met by another plan where it is another goal, and by the same plan again", async () => {
    const { search: usual } = await searched([]);
    const { search: fast } = await searched(["goal={maxMs: 1, samples: 16}"]);
    const bytes = (record: typeof usual) => record?.front.find(({ chosen }) => chosen)?.weightBytes ?? 0;
    // Time alone leaves all accuracy that there is.
    expect(bytes(fast)).toBeGreaterThan(bytes(usual));
    expect(fast?.formats).toEqual({ "/layer0/Gemm": "W8A16", "/layer1/Gemm": "W8A16", "/layer2/Gemm": "W8A16" });
    expect(await searched([])).toMatchObject({ search: usual });
  });

  test.each([
    [["goal.maxMs=0.0000001"], "gate/goal", "no plan takes"],
    [["goal.maxDrop=-0.5"], "gate/goal", "no plan loses -50.00 points or less within 1 ms"],
    [["passes=simplify"], "usage/nothing-quantized", "formats can only be chosen"],
    [["data.selection={npz: certification.npz, limit: 20}"], "evidence/few-selection", "20 selection samples"],
    [["data.selection={npz: calibration.npz}"], "usage/leak", ""],
  ])("%j: %s", async (set, code, message) => {
    const wanted = { code, message: expect.stringContaining(message) as string };
    await expect(searched(set)).rejects.toThrow(expect.objectContaining(wanted) as Error);
  });

  test.each([
    [["quantize.weights=int4"], "usage/goal-and-formats"],
    [["quantize.formats={a: W8A8}"], "usage/goal-and-formats"],
    [["quantize.int16Share=0.1"], "usage/goal-and-formats"],
    [["goal={samples: 64}"], "usage/recipe"],
  ])("contradicts itself: %j", (set, code) => {
    expect(() => loadRecipe(recipe, { set })).toThrow(expect.objectContaining({ code }) as Error);
  });

  test("is nothing that an export can decide", async () => {
    const { code, stderr } = await optimus(["export", recipe, "--qdq", join(folder, "out.onnx")]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/open-goal/)]);
  });

  test("needs data to choose by", async () => {
    const other = project(join(folder, "bare"), network(), ["goal: { maxMs: 1 }"]);
    const { data, ...rest } = loadRecipe(other);
    const bare = { ...rest, data: { calibration: data.calibration, certification: data.certification } };
    await expect(make(bare)).rejects.toThrow(expect.objectContaining({ code: "usage/goal-selection" }) as Error);
  });
});
