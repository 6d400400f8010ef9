import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { brownDocuments, brownWords } from "../../src/data/brown.ts";
import type { DataSpec } from "../../src/data/dataset.ts";
import { isWithin } from "../../src/data/split.ts";
import { elementCount } from "../../src/ir/graph.ts";
import { readModel } from "../../src/onnx/read.ts";
import { loadTraining } from "../../src/recipe/training.ts";
import { parametersOf } from "../../src/train/mode.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "recipes/train");

describe("the recipes that train", () => {
  it.each(readdirSync(folder))("%s can be read, and its network is there or comes from another training", (name) => {
    const { model, teacher, data } = loadTraining(join(folder, name));
    const network = model ?? teacher ?? "";
    const trained = readdirSync(folder).map((each) => join(root, "out", each.replace(/\.yaml$/, ".onnx")));
    if (!trained.includes(network)) expect(readModel(network).nodes.length).toBeGreaterThan(0);
    expect(data.validation).toBeDefined();
  });

  it("the character GPT knows the characters of its training documents, and no others", () => {
    const { data, model } = loadTraining(join(folder, "char-gpt.yaml"));
    const { alphabet, portion } = data.training as DataSpec as { alphabet: string; portion: [number, number] };
    expect(data.validation).toMatchObject({ alphabet, portion: [portion[1], 1] });
    const { root, names } = brownDocuments(folder);
    const letters = new Set<string>();
    for (const name of names.filter((each) => isWithin(each, portion))) {
      for (const letter of brownWords(root, name).join(" ")) letters.add(letter);
    }
    expect([...letters].sort().join("")).toBe(alphabet);
    const graph = readModel(model ?? "");
    const parameters = parametersOf(graph).map((name) => elementCount(graph.constants.get(name)?.shape ?? []));
    expect(parameters.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(2_000_000);
    expect(graph.constants.get("embedding.weight")?.shape[0]).toBe(letters.size);
  });
});
