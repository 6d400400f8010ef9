import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeArtifact } from "../../src/artifact/container.ts";
import { elementCount } from "../../src/ir/graph.ts";
import { decodeRecord } from "../../src/ir/record.ts";
import { readModel } from "../../src/onnx/read.ts";
import { optimus, root } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "int4-"));
const images = join(root, "fixtures/fashion-mnist");
const recipe = join(folder, "four.yaml");

beforeAll(() => {
  const split = (name: string, count: number) =>
    `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
  writeFileSync(
    recipe,
    [
      `model: ${images}/teacher.onnx`,
      "inputs: { image: { shape: [1, 1, 28, 28] } }",
      `data: { calibration: ${split("train-2048", 32)}, certification: ${split("t10k", 200)} }`,
      'quantize: { samples: 32, weights: int4, block: 32, formats: { "/classifier/*": W8A16 } }',
      "jobs: 1",
    ].join("\n"),
  );
});

describe("a recipe with weights of 4 bits", { timeout: 120_000 }, () => {
  test("builds an artifact whose record and program hold them packed", async () => {
    const { code, stderr } = await optimus(["build", recipe, "--out", folder, "--json"]);
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error|bug/)]);
    const four = join(folder, "four.dopt");
    const { sections } = decodeArtifact(readFileSync(four));
    const { constants, nodes } = decodeRecord(sections.get("record") ?? new Uint8Array());
    const packed = [...constants.values()].filter(({ dtype }) => dtype === "int4");
    expect(packed.length).toBeGreaterThan(3);
    expect(nodes.some(({ op, attrs }) => op === "UnpackWeights" && attrs.has("block"))).toBe(true);
    const weights = packed.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    expect(sections.get("weights")?.length).toBeLessThan(0.75 * weights);
    const out = join(folder, "integer.onnx");
    expect((await optimus(["export", four, "--integer-onnx", out])).code).toBe(0);
    expect(statSync(out).size).toBeGreaterThan(weights / 2);
  });

  test("exports the quantized model with blocks of int4", async () => {
    const out = join(folder, "qdq.onnx");
    const { code, stderr } = await optimus(["export", recipe, "--qdq", out]);
    expect([code, stderr]).toEqual([0, ""]);
    const { nodes, constants, opsets } = readModel(out);
    expect(opsets.get("")).toBeGreaterThanOrEqual(21);
    const blocked = nodes.filter(({ op, attrs }) => op === "DequantizeLinear" && attrs.has("block_size"));
    expect(blocked.length).toBeGreaterThan(3);
    for (const { inputs } of blocked) expect(constants.get(inputs[0])?.dtype).toBe("int4");
  });
});
