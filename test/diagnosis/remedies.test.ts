import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { both, patched, patchText, remediesFor } from "../../src/diagnosis/remedies.ts";
import { settingsOfPatch } from "../../src/recipe/patch.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { network, project } from "../search/project.ts";

const folder = mkdtempSync(join(tmpdir(), "remedies-"));
const path = project(folder, network(), ["quantize: { formats: { '/a/*': W4A8, '/b': W8A16 }, int16: [v] }"]);
const recipe = loadRecipe(path);

describe("remedies", () => {
  const culprits = [
    { name: "/a/x", keys: ["/a/x", "/a/x2"], format: "W4A8" as const },
    { name: "/b", keys: ["/b"], format: "W8A16" as const },
    { name: "/sum", keys: ["s"] },
  ];
  const found = remediesFor(recipe, culprits);

  test("are wider formats of the culprits, then what the recipe does not do yet", () => {
    expect(found.filter(({ about }) => about.length > 0).map(({ what, about }) => `${what}: ${about}`)).toEqual([
      "weights in 8 bits: /a/x",
      "input in 16 bits: /a/x",
      "weights in 8 bits, input in 16: /a/x",
      "value in 16 bits: /sum",
    ]);
    const whole = found.filter(({ about }) => about.length === 0).map(({ what }) => what);
    expect(whole).toEqual(
      expect.arrayContaining(["ranges by mse", "no equalization", "splitting of channels that stand out"]),
    );
    expect(whole).not.toContain("ranges by percentile");
    // Only layers that no format names keep 8 bits.
    expect(whole.join()).not.toContain("8-bit weights");
    const four = remediesFor({ ...recipe, quantize: { ...recipe.quantize, weights: "int4" } }, []);
    expect(four.map(({ patch }) => patch.quantize.int8Share)).toContain(0.1);
    // 4-bit weights are rounded by gptq as it is.
    expect(whole).not.toContain("weights rounded by gptq");
  });

  test("add up, and hold over what the recipe says", () => {
    const patch = both(both(found[0].patch, found[3].patch), { quantize: { calibrator: "mse", int16: ["t"] } });
    const { quantize } = patched(recipe, patch);
    expect(Object.entries(quantize.formats)).toEqual([
      ["/a/*", "W4A8"],
      ["/b", "W8A16"],
      ["/a/x", "W8A8"],
      ["/a/x2", "W8A8"],
    ]);
    expect(quantize).toMatchObject({ int16: ["v", "s", "t"], calibrator: "mse", equalize: true });
  });

  test.each([false, true])("say the same as a file that build takes; with a goal: %s", (hasGoal) => {
    const patch = both(found[1].patch, { quantize: { int16: ["t"], smooth: true } });
    const file = join(folder, "patch.yaml");
    writeFileSync(file, patchText(recipe, patch, ["why"], hasGoal));
    const set = hasGoal ? ["goal={maxMs: 1}", "quantize={int16: [v]}"] : [];
    const { quantize, goal } = loadRecipe(path, { set: [...set, ...settingsOfPatch(file)] });
    expect(goal).toBeUndefined();
    expect(quantize).toEqual(patched(recipe, patch).quantize);
    expect(Object.keys(quantize.formats)).toEqual(Object.keys(patched(recipe, patch).quantize.formats));
  });
});
