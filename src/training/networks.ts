/** What learns: a model as its file has it, or one that already rounds as the chip will. */
import type { Dataset } from "../data/dataset.ts";
import { bug, CompileError } from "../error.ts";
import { attrs, type Graph, type Node, type Tensor } from "../ir/graph.ts";
import { int64, valuesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { encodeModel } from "../onnx/write.ts";
import type { PassSpec } from "../pass.ts";
import { runPasses } from "../passes.ts";
import { presetPasses } from "../presets.ts";
import type { Training } from "../recipe/training.ts";
import { createSession } from "../run/ort.ts";
import { type FakeQuantized, type Moments, withFakeQuantization } from "../train/fake.ts";
import { withLearnt } from "../train/learnt.ts";
import { parametersOf } from "../train/mode.ts";
import type { Weights } from "../train/step.ts";
import { batchOf } from "./batches.ts";
import { modelFor, trainedModel } from "./models.ts";

export interface Network {
  /** The network for so many samples at once. */
  graphFor(batch: number): Promise<Graph>;
  /** Which of its constants learn. */
  readonly parameters: readonly string[];
  /** The model to be written, with what was learnt. */
  finish(weights: Weights): Promise<Graph>;
}

/** The network of a recipe. Throws what import, passes and calibration throw; model/batch-dependent for one that cannot be rounded alike. */
export async function networkOf(recipe: Training, path: string, data: Dataset): Promise<Network> {
  const shapes = data.describe().inputs;
  if (recipe.quantize === undefined) {
    return {
      graphFor: (batch) => modelFor(path, shapes, batch),
      parameters: parametersOf(await modelFor(path, shapes, recipe.batch)),
      finish: (weights) => trainedModel(path, shapes, weights),
    };
  }
  return quantizedNetwork(recipe, recipe.quantize, path, data);
}

type Quantization = NonNullable<Training["quantize"]>;

/** Everything that a build does with the float graph before it quantizes; equalizing is left to the training. */
function floatPasses(): readonly PassSpec[] {
  const all = presetPasses("int8");
  const end = all.indexOf("quantize/equalize");
  return end < 0 ? bug("the preset int8 has changed") : all.slice(0, end);
}

async function quantizedNetwork(recipe: Training, options: Quantization, path: string, data: Dataset) {
  const shapes = data.describe().inputs;
  const { normalize, ...quantize } = options;
  // AdamW moves every weight alike, whatever its gradient's size; SGD follows the gradient, which has the weight's scale already.
  const relative = recipe.optimizer.kind === "adamw";
  const model = await modelFor(path, shapes, 1);
  const prepared = async (batch: number): Promise<Graph> =>
    (await runPasses(await modelFor(path, shapes, batch), floatPasses())).graph;
  const single = await prepared(1);
  const calibration = {
    size: data.length,
    feeds: async (index: number) => (await data.read(index)).inputs as ReadonlyMap<string, Tensor>,
  };
  const pass = { pass: "quantize/int8", ...quantize, block: "all", biasCorrection: false };
  const { graph: annotated } = await runPasses(single, [pass], { calibration });
  const moments = normalize ? await momentsOf(recipe, await prepared(recipe.batch), model, data) : undefined;
  const rounded = (graph: Graph): FakeQuantized => {
    checkAlike(graph, single, path);
    return withFakeQuantization(graph, annotated, { ...(moments && { moments }), relative });
  };
  const fake = rounded(single);
  const normalized = new Set(fake.normalizations.map(({ index }) => single.nodes[index].inputs[2] ?? ""));
  // A constant that is stored in codes, and is no weight, stays what it is.
  const stays = (name: string): boolean => normalized.has(name) || !annotated.constants.has(name);
  const weights = new Set(fake.weights.map(({ name }) => name));
  return {
    graphFor: async (batch: number) => rounded(await prepared(batch)).graph,
    parameters: [
      ...parametersOf(single).filter((name) => weights.has(name) || !stays(name)),
      ...fake.normalizations.map(({ shift }) => shift),
      ...fake.steps,
    ],
    finish: async (trained: Weights) => withLearnt(withoutNotes(annotated), fake, trained),
  };
}

/** What the quantizing pass left for later ones of the same build. */
function withoutNotes(graph: Graph): Graph {
  return { ...graph, metadata: new Map([...graph.metadata].filter(([key]) => !key.startsWith("quantize/"))) };
}

function checkAlike(graph: Graph, single: Graph, where: string): void {
  const same = graph.nodes.every(
    ({ op, outputs }, index) => op === single.nodes[index]?.op && outputs.join() === single.nodes[index].outputs.join(),
  );
  if (same && graph.nodes.length === single.nodes.length) return;
  throw new CompileError("model/weights-vary", "the network depends on how many samples it is given at once", {
    where,
    remedy: "export it with a free batch size, and with its weights as initializers",
  });
}

/** Batches that moments are taken from. */
const BATCHES = 8;

/** Mean and variance of what the convolutions make that had a BatchNormalization behind them in the model. */
async function momentsOf(recipe: Training, graph: Graph, model: Graph, data: Dataset): Promise<Map<string, Moments>> {
  const normalized = new Set(
    model.nodes.filter(({ op }) => op === "BatchNormalization").flatMap(({ origin }) => origin),
  );
  const convolutions = graph.nodes.filter(
    ({ op, origin, inputs }) =>
      op === "Conv" && graph.constants.has(inputs[1]) && origin.some((name) => normalized.has(name)),
  );
  const found = new Map<string, Moments>();
  if (convolutions.length === 0) return found;
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const nodes: Node[] = [...graph.nodes];
  const fresh = (hint: string): string => {
    let name = hint;
    while (names.has(name)) name = `${name}~`;
    names.add(name);
    return name;
  };
  const probes = convolutions.map(({ outputs: [output] }) => {
    const rank = graph.types.get(output)?.shape?.length ?? 0;
    const axes = fresh(`${output}/axes`);
    const others = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);
    constants.set(axes, int64([others.length], others));
    const [squares, mean, energy] = [fresh(`${output}/squares`), fresh(`${output}/mean`), fresh(`${output}/energy`)];
    const common = { domain: "", origin: [] };
    const keep = attrs({ keepdims: { i: 0 } });
    nodes.push({ ...common, op: "Mul", inputs: [output, output], outputs: [squares], attrs: new Map() });
    nodes.push({ ...common, op: "ReduceMean", inputs: [output, axes], outputs: [mean], attrs: keep });
    nodes.push({ ...common, op: "ReduceMean", inputs: [squares, axes], outputs: [energy], attrs: keep });
    return { output, mean, energy };
  });
  const outputs = probes.flatMap(({ mean, energy }) => [mean, energy]);
  const session = await createSession(encodeModel({ ...graph, nodes, constants, outputs }));
  try {
    for (let step = 0; step < BATCHES; step++) {
      const feeds = await batchOf(
        { dataset: data, batch: recipe.batch, seed: recipe.seed, augment: recipe.augment },
        step,
      );
      const values = await session.run(new Map([...feeds].filter(([name]) => graph.inputs.includes(name))));
      for (const { output, mean, energy } of probes) {
        const [first, second] = [mean, energy].map((name) => valuesOf(values.get(name) as Tensor) as Float32Array);
        const sums = found.get(output) ?? {
          mean: new Float64Array(first.length),
          variance: new Float64Array(first.length),
        };
        for (const [channel, value] of first.entries()) {
          sums.mean[channel] += value / BATCHES;
          sums.variance[channel] += second[channel] / BATCHES;
        }
        found.set(output, sums);
      }
    }
  } finally {
    await session.release();
  }
  for (const { mean, variance } of found.values()) {
    for (const [channel, value] of mean.entries()) variance[channel] = Math.max(0, variance[channel] - value * value);
  }
  return found;
}
