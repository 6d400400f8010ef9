import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, openDataset } from "../../src/data/dataset.ts";
import { loadInteger } from "../../src/emulate/integer.ts";
import { quantize } from "../../src/ir/codes.ts";
import type { Graph, Quant, Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { encodeModel, writeModel } from "../../src/onnx/write.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { runPasses } from "../../src/passes.ts";
import { presetPasses } from "../../src/presets.ts";
import { parseTraining, type Training } from "../../src/recipe/training.ts";
import { createSession } from "../../src/run/ort.ts";
import { withWeights } from "../../src/train/loop.ts";
import type { Weights } from "../../src/train/step.ts";
import { type Network, networkOf } from "../../src/training/networks.ts";
import { runTraining } from "../../src/training/run.ts";

const fixtures = resolve(import.meta.dirname, "../../fixtures/fashion-mnist");
const folder = mkdtempSync(join(tmpdir(), "quantized-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const recipeOf = (quantize: string, optimizer = "sgd"): Training =>
  parseTraining(
    `
name: small
model: ${fixtures}/depthwise.onnx
teacher: ${fixtures}/depthwise.onnx
quantize: ${quantize}
optimizer: { kind: ${optimizer} }
data: { training: { reader: idx, images: ${fixtures}/train-2048-images-idx3-ubyte.gz, limit: 64 } }
losses: [{ kind: distill, scores: logits, teacher: logits }]
rate: { peak: 0.01 }
epochs: 2
batch: 16
`,
    join(folder, "small.yaml"),
  );

let data: Dataset;
beforeAll(async () => {
  data = await openDataset(recipeOf("{}").data.training, folder);
  return () => data.close();
});
const one = { inputs: new Map([["image", { shape: [1, 1, 28, 28] }]]) };

async function scoresOf(graph: Graph, count: number): Promise<number[][]> {
  const session = await createSession(encodeModel(graph));
  const scores: number[][] = [];
  for (let index = 0; index < count; index++) {
    const found = await session.run((await data.read(index)).inputs as ReadonlyMap<string, Tensor>);
    scores.push(numbersOf(found.get("logits") as Tensor));
  }
  await session.release();
  return scores;
}

/** Another value for everything that learns, far enough to change codes. */
function moved(network: Network, graph: Graph): Weights {
  return new Map(
    network.parameters.map((name, place) => {
      const tensor = graph.constants.get(name) as Tensor;
      const values = Float32Array.from(numbersOf(tensor), (value, at) => value * 1.02 + 1e-3 * Math.sin(place + at));
      return [name, { ...tensor, data: values }];
    }),
  );
}

const quantOf = (graph: Graph): Map<string, unknown> =>
  new Map(graph.nodes.flatMap(({ outputs: [name] }) => [[name, graph.types.get(name)?.quant]]));
const weightsOf = (graph: Graph): Tensor[] => [...graph.constants.values()].filter(({ quant }) => quant !== undefined);

describe.each([
  ["{ weights: int8, normalize: true }", "int8", "adamw"],
  ["{ weights: int4 }", "int4", "sgd"],
  ["{ weights: int4, activations: int16, normalize: true }", "int4", "adamw"],
  ["{ weights: int4, activations: int4 }", "int4", "adamw"],
])("a network that rounds, %s", (quantize, dtype, optimizer) => {
  it("becomes a quantized model that computes the same", async () => {
    const recipe = recipeOf(quantize, optimizer);
    const network = await networkOf(recipe, `${fixtures}/depthwise.onnx`, data);
    const graph = await network.graphFor(1);
    // ONNX Runtime lays other tensors over values of 4 bits as if these were whole bytes.
    expect([...inferTypes(graph).types.values()].some(({ dtype: own }) => own === "int4")).toBe(false);
    const weights = moved(network, graph);
    const before = await scoresOf(withWeights(graph, weights), 8);
    const after = await scoresOf(await network.finish(weights), 8);
    const widest = Math.max(...before.flat().map(Math.abs));
    // A normalization that is folded in rounds otherwise, and now and then a code is another.
    const off = before.map((scores, at) =>
      Math.max(...scores.map((score, index) => Math.abs(score - after[at][index]))),
    );
    off.sort((a, b) => a - b);
    expect(off[4]).toBeLessThan(0.01 * widest);
    expect(off[7]).toBeLessThan(0.05 * widest);
  });

  it("is lowered with its own scales and codes, bit for bit", async () => {
    const network = await networkOf(recipeOf(quantize, optimizer), `${fixtures}/depthwise.onnx`, data);
    const trained = await network.finish(moved(network, await network.graphFor(1)));
    expect(weightsOf(trained).map((tensor) => tensor.dtype)).toEqual(new Array(10).fill(dtype));
    const path = join(folder, `${dtype}.onnx`);
    writeModel(trained, path);
    const calibration = { size: 8, feeds: async (index: number) => (await data.read(index)).inputs as never };
    const passes = presetPasses("int8");
    const until = passes.indexOf("quantize/int8") + 1;
    const { graph } = await runPasses(importOnnx(path, one), passes.slice(0, until), { calibration });
    const wanted = quantOf(trained);
    for (const [name, quant] of quantOf(graph)) expect([name, quant]).toEqual([name, wanted.get(name)]);
    const stored = (of: Graph) => weightsOf(of).map(({ data: codes, quant }) => [codes, quant?.scale, quant?.axis]);
    expect(stored(graph)).toEqual(stored(trained));
    const lowered = await runPasses(graph, passes.slice(until), { calibration });
    expect(lowered.graph.nodes.every(({ domain }) => domain === "npu")).toBe(true);
  });
});

/** Codes of every value in 4 bits, as they are while the network trains and as the chip will compute them. */
it("computes the very codes in training that the integer program computes", async () => {
  const network = await networkOf(
    recipeOf("{ weights: int4, activations: int4 }", "adamw"),
    `${fixtures}/teacher.onnx`,
    data,
  );
  const graph = await network.graphFor(1);
  const weights = moved(network, graph);
  const trained = await network.finish(weights);
  const narrow = [...trained.types].flatMap(([name, { dtype }]) => (dtype === "int4" ? [name] : []));
  expect(narrow.length).toBeGreaterThan(10);
  const path = join(folder, "narrow.onnx");
  writeModel(trained, path);
  const calibration = { size: 8, feeds: async (index: number) => (await data.read(index)).inputs as never };
  const options = { calibration, execute: loadInteger };
  const { graph: integer } = await runPasses(importOnnx(path, one), presetPasses("int8"), options);
  const fast = loadInteger({ ...integer, outputs: narrow });
  const codes = narrow.map((name) => `${name}/codes`);
  const session = await createSession(encodeModel({ ...withWeights(graph, weights), outputs: codes }));
  const input = integer.types.get("image");
  for (let index = 0; index < 4; index++) {
    const { inputs } = await data.read(index);
    const found = await session.run(inputs as ReadonlyMap<string, Tensor>);
    const image = quantize(inputs.get("image") as Tensor, "int8", input?.quant as Quant);
    const wanted = fast.run(new Map([["image", image]]));
    for (const [at, name] of narrow.entries()) {
      const list = numbersOf(wanted.get(name) as Tensor);
      expect(numbersOf(found.get(codes[at]) as Tensor), name).toEqual(list);
      expect(new Set(list).size).toBeGreaterThan(3);
    }
  }
  await session.release();
});

it("learns weights as parts of their channel's range with AdamW, which changes nothing at first", async () => {
  const graphs = [];
  for (const optimizer of ["sgd", "adamw"]) {
    const network = await networkOf(recipeOf("{ weights: int4 }", optimizer), `${fixtures}/depthwise.onnx`, data);
    graphs.push({ graph: await network.graphFor(1), parameters: network.parameters });
  }
  const [whole, parts] = graphs;
  expect(await scoresOf(parts.graph, 4)).toEqual(await scoresOf(whole.graph, 4));
  expect(parts.parameters).toEqual(whole.parameters);
  const weights = parts.parameters.filter((name) => (parts.graph.constants.get(name)?.shape.length ?? 0) > 1);
  expect(weights.length).toBe(10);
  for (const name of weights) {
    const largest = (graph: Graph): number => Math.max(...numbersOf(graph.constants.get(name) as Tensor).map(Math.abs));
    expect(largest(parts.graph)).toBeGreaterThan(0.9);
    expect(largest(parts.graph)).toBeLessThan(4);
  }
});

it("a recipe trains the scales with the weights", async () => {
  const recipe = recipeOf("{ weights: int4, samples: 16 }");
  const { model, parameters } = await runTraining({ ...recipe, epochs: 1 }, { out: folder, resume: false });
  const graph = importOnnx(model, one);
  const untrained = await (await networkOf(recipe, `${fixtures}/depthwise.onnx`, data)).finish(new Map());
  expect(parameters).toBeGreaterThan(18_000);
  const scales = (of: Graph): number[] => [...of.types.values()].flatMap(({ quant }) => [...(quant?.scale ?? [])]);
  expect(scales(graph).length).toBeGreaterThan(10);
  expect(scales(graph)).not.toEqual(scales(untrained));
});
