import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import { recipeJsonSchema } from "../../src/recipe/schema.ts";
import { loadRecipe, parseRecipe, type RecipeOptions } from "../../src/recipe.ts";

const BASE = "model: t.onnx\ndata:\n  calibration: {npz: a.npz}\n  certification: {npz: b.npz}\n";
const root = fileURLToPath(new URL("../../", import.meta.url));

function failure(text: string, options: RecipeOptions = {}): CompileError {
  try {
    parseRecipe(text, "/r/x.yaml", options);
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a recipe", () => {
  it("is filled with every default, its paths made absolute from its own folder", () => {
    const recipe = parseRecipe(`${BASE}key: ../keys/build.pem\n`, "/r/my-model.yaml");
    expect(recipe).toMatchObject({
      name: "my-model",
      folder: "/r",
      model: "/r/t.onnx",
      key: "/keys/build.pem",
      metric: "accuracy",
      target: "ai4",
      profile: "driving",
      allowCpu: false,
      npus: 1,
      passes: "default",
      quantize: { weights: "int8", activations: "int8", samples: 256, int16: [] },
      gates: {},
      seed: 0,
      check: false,
      out: resolve("out"),
    });
    expect(recipe.jobs).toBeGreaterThanOrEqual(1);
    expect(recipe.data.calibration).toEqual({ npz: "a.npz" });
    expect(recipe.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it("takes constants, fed-back inputs, dims, passes with options and repeats, a metric with options", () => {
    const text = `${BASE}
inputs: { sr: {value: 16000}, state: {shape: [2, 1, 128], from: stateN, init: 0} }
dims: { batch: 1 }
metric: { name: cer, dictionary: keys.txt }
passes: [simplify/cast, {pass: quantize/int8, samples: 3}, {repeat: [simplify/no-op]}]
`;
    const recipe = parseRecipe(text, "/r/x.yaml", { strict: true });
    expect(recipe.inputs.state).toEqual({ shape: [2, 1, 128], from: "stateN", init: 0 });
    expect(recipe.passes).toHaveLength(3);
    expect(recipe.metric).toEqual({ name: "cer", dictionary: "keys.txt" });
  });

  it("is changed by --set, in order, and its digest with it", () => {
    const set = ["quantize.samples=12", "data.calibration.limit=3", "gates={maxDrop: 0.1}", "gates.maxMs=2"];
    const recipe = parseRecipe(BASE, "/r/x.yaml", { set });
    expect(recipe.quantize.samples).toBe(12);
    expect(recipe.data.calibration).toEqual({ npz: "a.npz", limit: 3 });
    expect(recipe.gates).toEqual({ maxDrop: 0.1, maxMs: 2 });
    expect(recipe.digest).not.toBe(parseRecipe(BASE, "/r/x.yaml").digest);
  });
});

describe("a wrong recipe", () => {
  it.each<[string, string, RecipeOptions, string, string, string]>([
    [
      "a gate that does not exist",
      `${BASE}gates: {maxDorp: 1}\n`,
      {},
      "usage/unknown-gate",
      "/r/x.yaml:5:9",
      'mean "maxDrop"',
    ],
    [
      "an unknown key in --ci",
      `${BASE}modle: x\n`,
      { strict: true },
      "usage/unknown-key",
      "/r/x.yaml:5:1",
      'mean "model"',
    ],
    [
      "a mistyped key that is needed",
      BASE.replace("model", "modle"),
      {},
      "usage/unknown-key",
      "/r/x.yaml:1:1",
      'mean "model"',
    ],
    [
      "a mistyped setting",
      BASE,
      { strict: true, set: ["qauntize.samples=3"] },
      "usage/unknown-key",
      "--set",
      'mean "quantize"',
    ],
    [
      "a value of the wrong type",
      BASE,
      { set: ["quantize.samples=x"] },
      "usage/recipe",
      "--set quantize.samples=x",
      "",
    ],
    [
      "a value that is not a choice",
      `${BASE}quantize: {calibrator: foo}\n`,
      {},
      "usage/recipe",
      "/r/x.yaml:5:24",
      "min-max",
    ],
    ["no data", "model: x\n", {}, "usage/recipe", "/r/x.yaml:1:1", ""],
    ["a shape with 0", `${BASE}inputs: {x: {shape: [0]}}\n`, {}, "usage/recipe", "/r/x.yaml:5:22", ""],
    ["a key twice", `${BASE}seed: 1\nseed: 2\n`, {}, "usage/recipe-syntax", "/r/x.yaml:6:1", ""],
    ["broken YAML", "model: [\n", {}, "usage/recipe-syntax", "/r/x.yaml:2:1", ""],
    ["a list", "- 1\n", {}, "usage/recipe", "/r/x.yaml:1:1", ""],
    ["nothing", "", {}, "usage/recipe", "/r/x.yaml:1:1", ""],
    [
      "an input both constant and fed back",
      `${BASE}inputs: {x: {value: 1, from: y}}\n`,
      {},
      "usage/recipe",
      "/r/x.yaml:5:13",
      "",
    ],
    [
      "a package that is missing",
      BASE.replace("t.onnx", "npm:no-such-package-here/x.onnx"),
      {},
      "usage/missing-package",
      "/r/x.yaml:1:8",
      "npm install",
    ],
    [
      "a reference out of its package",
      BASE.replace("t.onnx", "npm:zod/../../x"),
      {},
      "usage/bad-reference",
      "/r/x.yaml:1:8",
      "",
    ],
    ["a setting without a value", BASE, { set: ["seed"] }, "usage/bad-setting", "", "--set"],
  ])("with %s is refused with its place", (_, text, options, code, where, remedy) => {
    const error = failure(text, options);
    expect(error.code).toBe(code);
    expect(error.where ?? "").toContain(where);
    expect(error.remedy ?? "").toContain(remedy);
    if (error.where?.startsWith("/r")) expect(error.where).toMatch(/\n {2}\d+ \| .*\n +\| *\^$/);
  });

  it("only warns of an unknown key where a person is watching, but never of a gate", () => {
    const warnings: string[] = [];
    const recipe = parseRecipe(`${BASE}quantize: {calibrater: mse}\n`, "/r/x.yaml", {
      warn: (text) => warnings.push(text),
    });
    expect(recipe.quantize).toMatchObject({ calibrator: "percentile" });
    expect(warnings).toEqual([expect.stringContaining('there is no key "quantize.calibrater"')]);
  });

  it("cannot make megabytes of a kilobyte", () => {
    const lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"];
    for (let level = 1; level < 9; level++) lines.push(`a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`);
    expect(failure(lines.join("\n")).code).toBe("usage/recipe-syntax");
    expect(failure(`x: ${"y".repeat(2 ** 20)}`).code).toBe("usage/recipe");
  });

  it("is never answered with anything but a user's error", () => {
    const lines = fc.array(fc.oneof(fc.string(), fc.constantFrom(...BASE.split("\n"), "gates: {}", "passes: [a]")));
    fc.assert(
      fc.property(lines, (text) => {
        try {
          parseRecipe(text.join("\n"), "/r/x.yaml");
        } catch (error) {
          expect(error).toBeInstanceOf(CompileError);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("that does not exist is named", () => {
    expect(() => loadRecipe("/nowhere.yaml")).toThrow(expect.objectContaining({ code: "usage/missing-recipe" }));
  });
});

describe("what ships", () => {
  it.each(readdirSync(`${root}recipes`).filter((name) => name.endsWith(".yaml")))(
    "recipes/%s has only known keys and names a model",
    (name) => {
      const recipe = loadRecipe(`${root}recipes/${name}`, { strict: true });
      expect(recipe.model).toMatch(/\.onnx$/);
      expect(recipe.gates.maxDrop).toBeGreaterThan(0);
    },
  );

  it("docs/recipe.schema.json is fresh (npm run generate)", () => {
    const text = readFileSync(`${root}docs/recipe.schema.json`, "utf8");
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(recipeJsonSchema())));
  });
});
