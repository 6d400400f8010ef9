import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { layered } from "../../src/recipe/config.ts";
import { traceRecipe } from "../../src/recipe/origins.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { optimus } from "../cli/command.ts";

const folder = mkdtempSync(join(tmpdir(), "config-"));
const inner = join(folder, "a/b");
const recipe = join(inner, "mine.yaml");
const config = join(folder, "optimus.config.yaml");
const data = "{ npz: x.npz }";

beforeAll(() => {
  mkdirSync(inner, { recursive: true });
  writeFileSync(config, "key: keys/build.pem\nquantize:\n  samples: 7\n  calibrator: mse\ngates: { maxDrop: 0.5 }\n");
  writeFileSync(
    recipe,
    `model: x.onnx\ndata: { calibration: ${data}, certification: ${data} }\nquantize: { samples: 9 }\n`,
  );
});

describe("optimus.config", () => {
  test("says what recipes below it do not say themselves", () => {
    const found = loadRecipe(recipe);
    expect(found.quantize).toMatchObject({ samples: 9, calibrator: "mse", activations: "int8" });
    expect(found).toMatchObject({ gates: { maxDrop: 0.5 }, key: join(folder, "keys/build.pem"), folder: inner });
  });

  test("is part of what the recipe's digest covers", () => {
    const before = loadRecipe(recipe).digest;
    writeFileSync(join(inner, "optimus.config.json"), '{ "quantize": { "samples": 3 } }');
    const after = loadRecipe(recipe);
    writeFileSync(join(inner, "optimus.config.json"), "{}");
    expect(after.digest).not.toBe(before);
    // The nearest one alone counts.
    expect(after.quantize.calibrator).toBe("percentile");
  });

  test.each([
    ["colour: red", /usage\/config.*\n.*optimus\.config\.yaml:1:1/],
    ["model: x.onnx", /usage\/config/],
    ["quantize: { calibrator: best }", /optimus\.config\.yaml:1:25[\s\S]*\^/],
    ["gates: { maxDorp: 1 }", /unknown-gate[\s\S]*optimus\.config\.yaml:1:10[\s\S]*maxDrop/],
    ["key: [", /recipe-syntax[\s\S]*optimus\.config\.yaml:1/],
  ])("%s is answered with its place", async (text, says) => {
    const own = mkdtempSync(join(folder, "own-"));
    writeFileSync(join(own, "optimus.config.yaml"), text);
    writeFileSync(join(own, "r.yaml"), `model: x.onnx\ndata: { calibration: ${data}, certification: ${data} }\n`);
    const { code, stderr } = await optimus(["config", "print", join(own, "r.yaml")]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(says)]);
  });

  test("config print tells where each setting comes from", async () => {
    const own = join(folder, "mine.yaml");
    writeFileSync(
      own,
      `model: x.onnx\ndata: { calibration: ${data}, certification: ${data} }\nquantize: { samples: 9 }\n`,
    );
    const found = new Map(
      traceRecipe(own, { set: ["gates.minSamples=3", "quantize={samples: 4}"] }).map(({ key, origin }) => [
        key,
        origin,
      ]),
    );
    expect(found.get("quantize.samples")).toBe("--set quantize={samples: 4}");
    expect(found.get("gates.minSamples")).toBe("--set gates.minSamples=3");
    expect(found.get("gates.maxDrop")).toBe(`${config}:5:19`);
    expect(found.get("model")).toBe(`${own}:1:8`);
    expect(found.get("target")).toBe("default");
    const { code, stdout } = await optimus(["config", "print", own], { env: { OPTIMUS_CACHE: "/c" } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/quantize\.calibrator +.*optimus\.config\.yaml:4:15 +mse/);
    expect(stdout).toMatch(/OPTIMUS_CACHE +environment OPTIMUS_CACHE +\/c/);
  });

  test("lists are taken whole, and what the recipe says comes first", () => {
    expect(layered({ a: [1, 2], b: { c: 1, d: 2 } }, { a: [3], b: { c: 4 } })).toEqual({ a: [3], b: { c: 4, d: 2 } });
    expect(layered(undefined, 1)).toBe(1);
    expect(layered({ a: 1 }, undefined)).toEqual({ a: 1 });
  });
});
