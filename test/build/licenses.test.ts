import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { licensesOf, packageOf, requireLicenses, satisfies } from "../../src/build/licenses.ts";
import { loadRecipe, parseRecipe } from "../../src/recipe.ts";

const recipe = (licenses: string) =>
  parseRecipe(`model: m.onnx\ndata: { calibration: { npz: a }, certification: { npz: b } }\n${licenses}`, "r.yaml");

const codeOf = (licenses: string): string => {
  const parsed = recipe(licenses);
  try {
    requireLicenses(parsed, licensesOf(parsed));
    return "allowed";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("licences", () => {
  it.each<[string, boolean]>([
    ["MIT", true],
    ["GPL-3.0-only", false],
    ["MIT AND Apache-2.0", true],
    ["MIT AND GPL-3.0-only", false],
    ["GPL-3.0-only OR MIT", true],
    ["GPL-3.0-only OR MIT AND GPL-2.0-only", false],
    ["(GPL-3.0-only OR MIT) AND Apache-2.0", true],
    ["GPL-2.0-only WITH Classpath-exception-2.0", true],
    ["GPL-2.0-only", false],
    ["", false],
    ["MIT OR", false],
    ["OR MIT", false],
    ["(MIT", false],
    ["MIT)", false],
    ["MIT Apache-2.0", false],
    ["SEE LICENSE IN LICENSE.md", false],
    [`${"(".repeat(100_000)}MIT`, false],
  ])("%s is allowed: %s", (expression, expected) => {
    const allowed = new Set(["MIT", "Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"]);
    expect(satisfies(expression, allowed)).toBe(expected);
  });

  it.each([
    ["", "allowed"],
    ["licenses: { teacher: Proprietary }", "allowed"],
    ["licenses: { allowed: [MIT] }", "evidence/unknown-license"],
    ["licenses: { teacher: MIT, allowed: [MIT] }", "evidence/unknown-license"],
    ["licenses: { teacher: MIT, data: MIT, allowed: [MIT] }", "allowed"],
    ["licenses: { teacher: MIT, data: CC-BY-4.0, allowed: [MIT] }", "gate/license"],
    ["licenses: { teacher: MIT, data: MIT, allowed: [] }", "gate/license"],
  ])("a recipe with %j: %s", (licenses, expected) => {
    expect(codeOf(licenses)).toBe(expected);
  });

  it.each(readdirSync("recipes").filter((file) => file.endsWith(".yaml")))(
    "the recipe %s names both, and allows them",
    (file) => {
      const { licenses, ...rest } = loadRecipe(join("recipes", file));
      expect(licenses).toEqual({ teacher: expect.any(String), data: expect.any(String), allowed: expect.any(Array) });
      expect(() => requireLicenses({ ...rest, licenses }, licensesOf({ ...rest, licenses }))).not.toThrow();
      expect(() => requireLicenses({ ...rest, licenses: { ...licenses, allowed: [] } }, licenses ?? {})).toThrow(
        /licence is/,
      );
    },
  );

  it("of a package's file is what its package.json says", () => {
    const folder = join(mkdtempSync(join(tmpdir(), "licenses-")), "node_modules/@scope/model");
    mkdirSync(join(folder, "assets/inner"), { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"name":"@scope/model","version":"1.2.3","license":"Apache-2.0"}');
    // A file that only says the kind of modules is no package.
    writeFileSync(join(folder, "assets/package.json"), '{"type":"commonjs"}');
    const found = packageOf(join(folder, "assets/inner/model.onnx"));
    expect(found).toEqual({ name: "@scope/model", version: "1.2.3", license: "Apache-2.0" });
    expect(packageOf("/somewhere/else/model.onnx")).toBeUndefined();
  });
});
