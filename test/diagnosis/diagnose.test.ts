import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Diagnosis } from "../../src/diagnosis/diagnose.ts";
import { settingsOfPatch } from "../../src/recipe/patch.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { optimus } from "../cli/command.ts";
import { network, project } from "../search/project.ts";

const folder = mkdtempSync(join(tmpdir(), "diagnosis-"));
// A hidden value of a thousand that says nothing: with it, 8 bits hold next to nothing of the others.
const recipe = project(folder, network(1000), ["quantize: { equalize: false, int16: [x] }"]);
const artifact = join(folder, "net.dopt");
const patch = join(folder, "patch.yaml");

async function build(...more: string[]) {
  const { code, stdout, stderr } = await optimus(["build", recipe, "--out", folder, "--no-cache", "--json", ...more]);
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error|bug/)]);
  return JSON.parse(stdout) as { accuracy: { agreement: number } };
}

describe("explain ARTIFACT", { timeout: 240_000 }, () => {
  let before: number;
  beforeAll(async () => {
    before = (await build()).accuracy.agreement;
  }, 240_000);

  test("names the planted culprit first, and writes a patch with which the build is nearer to its teacher", async () => {
    expect(before).toBeLessThan(0.9);
    const args = ["--recipe", recipe, "--samples", "16", "--top", "1", "--tries", "4", "--no-cache"];
    const { code, stdout, stderr } = await optimus(["explain", artifact, ...args, "--json", "--patch", patch]);
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error|bug/)]);
    const found = JSON.parse(stdout) as Diagnosis;
    const [first, second] = found.layers;
    expect(first).toMatchObject({ layer: "/layer1/Gemm", op: "Gemm", format: "W8A8" });
    expect(first.distance).toBeGreaterThan(10 * second.distance);
    expect(first.isolatedDb).toBeLessThan((second.isolatedDb ?? 0) - 6);
    // Nearly all numbers share a few codes.
    expect(first.dead).toBeGreaterThan(0.9);
    const [wide] = found.remedies;
    expect(wide).toMatchObject({ what: "input in 16 bits", about: ["/layer1/Gemm"] });
    expect(wide.measured?.agreement).toBeGreaterThan(0.05);
    expect(wide.predicted).toBeGreaterThan(0.05);
    expect(wide.microseconds).toBeGreaterThan(0);
    expect(found.best?.standing.agreement).toBeGreaterThan(found.now.agreement);
    expect(readFileSync(patch, "utf8")).toBe(found.best?.patch);
    const after = await build("--patch", patch);
    expect(after.accuracy.agreement).toBeGreaterThan(before + 0.05);
  });

  test("tells what the artifact alone says where there is no recipe", async () => {
    const { code, stdout } = await optimus(["explain", artifact]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/layer1[\s\S]*give --recipe/)]);
  });

  test("does not write a patch without trying", async () => {
    const { code, stderr } = await optimus(["explain", artifact, "--patch", patch]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--patch needs --recipe/)]);
  });

  test("wants the artifact's own teacher, and data to judge by", async () => {
    const other = project(join(folder, "other"), network(), []);
    const foreign = await optimus(["explain", artifact, "--recipe", other, "--no-cache"]);
    expect([foreign.code, foreign.stderr]).toEqual([4, expect.stringMatching(/other-teacher/)]);
  });
});

describe("a patch", () => {
  test("is settings, one for each value, whose keys may hold anything", () => {
    const path = join(folder, "odd.yaml");
    writeFileSync(
      path,
      'quantize:\n  formats: { "/a.b/Conv=1": W8A16, "say \\"x\\"": W4A8 }\n  int16: [v, w]\ngoal: null\n',
    );
    const settings = settingsOfPatch(path);
    expect(settings).toEqual([
      'quantize.formats."/a.b/Conv=1"="W8A16"',
      'quantize.formats."say \\"x\\""="W4A8"',
      'quantize.int16=["v","w"]',
      "goal=null",
    ]);
    const { quantize, goal } = loadRecipe(recipe, { set: ["goal={maxMs: 1}", ...settings] });
    expect(goal).toBeUndefined();
    expect(quantize.int16).toEqual(["v", "w"]);
    expect(quantize.formats).toEqual({ "/a.b/Conv=1": "W8A16", 'say "x"': "W4A8" });
  });

  test("comes behind what it changes, since the last format that matches holds", () => {
    const set = ["quantize.formats={a: W4A8, 'a*': W8A8}", 'quantize.formats.a="W8A16"'];
    expect(Object.entries(loadRecipe(recipe, { set }).quantize.formats)).toEqual([
      ["a*", "W8A8"],
      ["a", "W8A16"],
    ]);
  });

  test.each([
    ["no-such.yaml", "", "usage/patch"],
    ["list.yaml", "- 1", "usage/patch"],
    ["broken.yaml", "a: [", "usage/recipe-syntax"],
  ])("%s is none", (name, text, code) => {
    const path = join(folder, name);
    if (text !== "") writeFileSync(path, text);
    expect(() => settingsOfPatch(path)).toThrow(expect.objectContaining({ code }) as Error);
  });
});
