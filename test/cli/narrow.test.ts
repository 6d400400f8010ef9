import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeArtifact } from "../../src/artifact/container.ts";
import { intAttr } from "../../src/ir/graph.ts";
import { decodeRecord } from "../../src/ir/record.ts";
import { parse } from "../../src/ir/text.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { readModel } from "../../src/onnx/read.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { optimus, root } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "narrow-"));
const images = join(root, "fixtures/fashion-mnist");
const qdq = join(folder, "qdq.onnx");

function recipeOf(name: string, model: string, lines: readonly string[]): string {
  const split = (of: string, count: number) =>
    `{ reader: idx, images: ${images}/${of}-images-idx3-ubyte.gz, labels: ${images}/${of}-labels-idx1-ubyte.gz, limit: ${count} }`;
  const path = join(folder, `${name}.yaml`);
  const text = [
    `model: ${model}`,
    "inputs: { image: { shape: [1, 1, 28, 28] } }",
    `data: { calibration: ${split("train-2048", 32)}, certification: ${split("t10k", 100)} }`,
    "jobs: 1",
    ...lines,
  ];
  writeFileSync(path, text.join("\n"));
  return path;
}

const NARROW = "quantize: { samples: 32, weights: int4, rounding: nearest, equalize: false, activations: int4 }";
let recipe = "";
beforeAll(() => {
  recipe = recipeOf("narrow", join(images, "depthwise.onnx"), ["target: ai5-preview", NARROW]);
});

/** Codes that the program's nodes may store: those of activations in 4 bits are 16. */
function bounds(artifact: string): [number, number][] {
  const { sections } = decodeArtifact(readFileSync(artifact));
  const { nodes } = decodeRecord(sections.get("record") ?? new Uint8Array());
  return nodes
    .filter(({ op }) => op === "Conv" || op === "MatMul")
    .map((node) => [intAttr(node, "y_min", -128), intAttr(node, "y_max", 127)]);
}

describe("a recipe with activations of 4 bits", { timeout: 120_000 }, () => {
  test("builds for a chip that has them", async () => {
    const plan = await optimus(["build", recipe, "--dry-run"]);
    expect(plan.stdout).toMatch(/ranges from 32 samples, layers in W4A4\n/);
    const { code, stderr, stdout } = await optimus(["build", recipe, "--out", folder]);
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error|bug/)]);
    expect(stdout).toMatch(/; \d+ int4, \d int16 and 0 float tensors/);
    const stored = bounds(join(folder, "narrow.dopt"));
    expect(stored.filter(([low, high]) => low === -8 && high === 7).length).toBeGreaterThan(6);
    expect((await optimus(["verify", join(folder, "narrow.dopt"), "--unsigned"])).code).toBe(0);
  });

  test("exports a model that says so, and builds that again", async () => {
    expect(await optimus(["export", recipe, "--qdq", qdq])).toMatchObject({ code: 0, stderr: "" });
    // 16 codes of int8, behind a clamp that says so: what ONNX Runtime computes with is no int4.
    const { nodes, constants } = readModel(qdq);
    const clamps = new Set(nodes.filter(({ op }) => op === "Clip").flatMap(({ outputs }) => outputs));
    const quantizers = nodes.filter(({ op }) => op === "QuantizeLinear");
    expect(quantizers.filter(({ inputs }) => clamps.has(inputs[0])).length).toBeGreaterThan(6);
    expect(quantizers.map(({ inputs }) => constants.get(inputs[2])?.dtype)).not.toContain("int4");
    const stored = [...importOnnx(qdq).types.values()].filter(({ quant }) => quant).map(({ dtype }) => dtype);
    expect(stored.filter((dtype) => dtype === "int4").length).toBe(clamps.size);
    const again = recipeOf("again", qdq, ["target: ai5-preview"]);
    const { code, stderr } = await optimus(["build", again, "--out", folder, "--json"]);
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error|bug/)]);
    expect(bounds(join(folder, "again.dopt"))).toEqual(bounds(join(folder, "narrow.dopt")));
  });

  test("refuses a teacher that ONNX Runtime computes wrongly, and makes one of it that it does not", async () => {
    const foreign = join(folder, "foreign.onnx");
    const graph = parse(`
      input image: float32[1,1,28,28]
      const s: float32[] = 0.1
      const z: uint4[] = 0
      const w: float32[10,784] = random(1)
      const flat: int64[2] = [1,784]
      q = QuantizeLinear(image, s, z)
      d = DequantizeLinear(q, s, z)
      f = Reshape(d, flat)
      y = Gemm(f, w) transB=1
      return y
    `);
    writeModel(graph, foreign);
    const path = recipeOf("foreign", foreign, ["target: ai5-preview"]);
    const refused = await optimus(["build", path, "--out", folder]);
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(/model\/int4-values[\s\S]*export RECIPE --qdq/),
    ]);
    const safe = join(folder, "safe.onnx");
    expect((await optimus(["export", path, "--qdq", safe])).code).toBe(0);
    const built = await optimus(["build", recipeOf("safe", safe, ["target: ai5-preview"]), "--out", folder]);
    expect([built.code, built.stdout]).toEqual([0, expect.stringMatching(/same answer +100/)]);
  });

  test.each([
    ["by the recipe", () => recipeOf("ai4", join(images, "depthwise.onnx"), [NARROW])],
    [
      "by its formats",
      () => recipeOf("some", join(images, "depthwise.onnx"), ['quantize: { formats: { "*": W4A4 } }']),
    ],
    ["by the model", () => recipeOf("given", qdq, [])],
  ])("is refused by ai4, %s", async (_, make) => {
    const { code, stderr } = await optimus(["build", make(), "--out", folder]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/usage\/no-int4-activations/);
    expect(stderr).toMatch(/use W4A8/);
  });
});
