import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { certify } from "../../src/certify.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { root } from "../cli/command.ts";
import { buildWith, changeIdx, scaledLayer } from "./broken.ts";

const folder = mkdtempSync(join(tmpdir(), "controls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const images = join(root, "fixtures/fashion-mnist");
const split = (name: string, count: number) =>
  `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
const file = join(folder, "small.yaml");
writeFileSync(
  file,
  [
    `model: ${images}/depthwise.onnx`,
    "inputs: { image: { shape: [1, 1, 28, 28] } }",
    `data: { calibration: ${split("train-2048", 32)}, certification: ${split("t10k", 150)} }`,
    "quantize: { samples: 32 }",
    "metric: accuracy",
    "jobs: 1",
    "gates: { maxDrop: 0.1 }",
  ].join("\n"),
);

/** The gate's verdict on a build in which one thing is as `set` and `change` say. */
async function verdictOf(name: string, set: readonly string[] = [], change = (graph: Graph) => graph) {
  const recipe = { ...loadRecipe(file, { set }), out: join(folder, name) };
  return (await certify(await buildWith(recipe, change), recipe)).verdict;
}

describe("controls: the gate, on real builds", { timeout: 120_000 }, () => {
  test("passes the unbroken one, and warns where labels are permuted, that the teacher is at chance", async () => {
    const recipe = { ...loadRecipe(file), out: join(folder, "sound") };
    const path = await buildWith(recipe, (graph) => graph);
    const said: string[] = [];
    const warn = (text: string) => said.push(text);
    expect((await certify(path, recipe, { warn })).verdict).toBe("pass");
    expect(said).toEqual([]);
    const labels = join(folder, "permuted.gz");
    changeIdx(join(images, "t10k-labels-idx1-ubyte.gz"), labels, 8, (bytes) => {
      for (let at = 0; at < bytes.length; at++) bytes[at] = (7 * at) % 10;
    });
    const permuted = { ...loadRecipe(file, { set: [`data.certification.labels=${labels}`] }), out: recipe.out };
    const { accuracy } = await certify(path, permuted, { warn });
    expect(accuracy.chance).toMatchObject({ value: 0.1, excluded: false });
    expect(said).toEqual([expect.stringMatching(/^the teacher itself is not shown to be better than chance/)]);
  });

  test.each([2, -2])("fails where a layer's scale is 2^%i of what it should be", async (power) => {
    expect(await verdictOf(`scale${power}`, [], (graph) => scaledLayer(graph, power))).toBe("fail");
  });

  test("fails where calibration saw data of another distribution", async () => {
    const dark = changeIdx(join(images, "train-2048-images-idx3-ubyte.gz"), join(folder, "dark.gz"), 16, (bytes) => {
      for (let byte = 0; byte < bytes.length; byte++) bytes[byte] >>= 4;
    });
    expect(await verdictOf("dark", [`data.calibration.images=${dark}`])).toBe("fail");
  });
});
