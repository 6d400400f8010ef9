/**
 * `ablation RECIPE [--weights int4] [--block 32] [--samples N] [--stages N] [--limit N] [--steps N] [--methods "a;b"] [--set k=v]`: what each
 * step of rounding is worth. Weights only are rounded, everything else stays float, under ONNX Runtime. With `--whole` it is the
 * integer graph that the whole preset makes, each step the recipe's `quantize.rounding`. All on the recipe's selection split, one
 * JSON line a step: the metric, the share of answers equal to the float model's, and the outputs' signal-to-noise ratio in dB.
 */
import { parseArgs } from "node:util";
import { openBuildData } from "../../src/build/data.ts";
import { passesOf } from "../../src/build/passes.ts";
import { importTeacher } from "../../src/build/teacher.ts";
import { type DataArray, openDataset, type Sample } from "../../src/data/dataset.ts";
import { loadInteger } from "../../src/emulate/integer.ts";
import { summarise } from "../../src/evidence/evaluate.ts";
import { loadMetric, type Metric, type MetricSpec } from "../../src/evidence/metric.ts";
import { dequantize } from "../../src/ir/codes.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import type { Feeds, PassSpec, Samples } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { eightBitChoices } from "../../src/quant/eight-bits.ts";
import type { WeightFormat } from "../../src/quant/format.ts";
import { linearLayers } from "../../src/quant/rounding/layers.ts";
import { type NetworkOptions, roundNetwork } from "../../src/quant/rounding/network.ts";
import { METHODS } from "../../src/quant/rounding/round.ts";
import { loadRecipe, type Recipe } from "../../src/recipe.ts";
import { createSession } from "../../src/run/ort.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Figures, QuantBench } from "../quant.ts";

/** Each step with what it adds to the one before. */
const STEPS: Readonly<Record<string, Partial<NetworkOptions> & { readonly searched?: boolean }>> = {
  nearest: { method: "nearest" },
  mse: { method: "mse" },
  "h-mse": { method: "h-mse" },
  "gptq, float prefix": { method: "gptq", prefix: "float" },
  gptq: { method: "gptq" },
  "gptq, natural order": { method: "gptq", actOrder: false },
  descent: { method: "descent" },
  "gptq+descent": { method: "gptq+descent" },
  adaround: { method: "adaround" },
  "gptq+descent, bias": { method: "gptq+descent", biasCorrection: true },
  "nearest, bias": { method: "nearest", biasCorrection: true },
  // No more bits than the others have: what wider blocks save goes to layers that keep 8, where that leaves less error.
  "gptq, bias, search": { method: "gptq", biasCorrection: true, searched: true },
  "gptq, bias": { method: "gptq", biasCorrection: true },
};

/** Blocks of the step that chooses layers. */
const WIDE_BLOCK = 128;

/** Bits of all layers' weights in 4 bits, factors of blocks included, by weight. */
function bitsOf(graph: Graph, block: number): number {
  let [bits, count] = [0, 0];
  for (const { rows, depth } of linearLayers(graph)) {
    count += rows * depth;
    bits += rows * (4 * depth + (depth > block ? 8 * Math.ceil(depth / block) : 0));
  }
  return bits / count;
}

/** What stands before the first quantizing pass that decides on codes. */
function floatPasses(passes: readonly PassSpec[]): PassSpec[] {
  const nameOf = (spec: PassSpec) => (typeof spec === "string" ? spec : (spec as { pass?: string }).pass);
  const end = passes.findIndex((spec) => ["quantize/round-weights", "quantize/int8"].includes(nameOf(spec) ?? ""));
  return passes.slice(0, end);
}

type Outputs = ReadonlyMap<string, DataArray>;

interface Model {
  /** States begin anew. */
  reset(): void;
  step(feeds: Feeds): Outputs | Promise<Outputs>;
  release(): Promise<void>;
}

async function floatModel(graph: Graph): Promise<Model> {
  const { states } = graph;
  const outputs = [...new Set([...graph.outputs, ...states.map(({ output }) => output)])];
  const session = await createSession(encodeModel({ ...graph, outputs, states: [], metadata: new Map() }));
  const held = new Map<string, Tensor>();
  return {
    reset: () => held.clear(),
    async step(feeds) {
      const first = states.map(({ input, init }) => [input, held.get(input) ?? init] as const);
      const found = await session.run(new Map([...first, ...feeds]));
      for (const { input, output } of states) held.set(input, found.get(output) as Tensor);
      return visible(graph, found);
    },
    release: () => session.release(),
  };
}

function integerModel(graph: Graph): Model {
  const program = loadInteger(graph);
  return {
    reset: () => program.reset(),
    step(feeds) {
      const reals = [...program.run(feeds)].map(
        ([name, tensor]) => [name, tensor.quant ? dequantize(tensor) : tensor] as const,
      );
      return visible(graph, new Map(reals));
    },
    release: async () => undefined,
  };
}

function visible(graph: Graph, found: ReadonlyMap<string, Tensor>): Outputs {
  const internal = new Set(graph.states.map(({ output }) => output));
  return new Map([...found].filter(([name]) => !internal.has(name)) as [string, DataArray][]);
}

interface Answer {
  readonly outputs: Outputs;
  readonly outcome: unknown;
}

async function answersOf(model: Model, samples: readonly Sample[], metric: Metric): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const [index, sample] of samples.entries()) {
    if (index === 0 || sample.sequence !== samples[index - 1].sequence) model.reset();
    const outputs = await model.step(sample.inputs as Feeds);
    answers.push({ outputs, outcome: metric.outcome(outputs, sample.target) });
  }
  await model.release();
  return answers;
}

/** Error over signal at the outputs, on `count` calibration samples that nothing was rounded on, where there are as many. */
async function noiseOf(rounded: Graph, graph: Graph, samples: Samples, count: number): Promise<number> {
  const [model, exact] = [await floatModel(rounded), await floatModel(graph)];
  let [signal, noise] = [0, 0];
  const first = samples.size < 2 * count ? 0 : count;
  for (let index = first; index < Math.min(samples.size, first + count); index++) {
    if (index > first && samples.sequence?.(index) !== samples.sequence?.(index - 1)) {
      model.reset();
      exact.reset();
    }
    const feeds = await samples.feeds(index);
    const [found, wanted] = [await model.step(feeds), await exact.step(feeds)];
    for (const [name, { data }] of wanted) {
      const values = found.get(name)?.data as Float32Array;
      (data as Float32Array).forEach((value, at) => {
        signal += value ** 2;
        noise += (values[at] - value) ** 2;
      });
    }
  }
  await Promise.all([model.release(), exact.release()]);
  return noise / signal;
}

async function samplesOf(recipe: Recipe, limit: number): Promise<Sample[]> {
  const dataset = await openDataset(recipe.data.selection ?? recipe.data.calibration, recipe.folder);
  const samples: Sample[] = [];
  for (let index = 0; index < Math.min(limit, dataset.length); index++) samples.push(await dataset.read(index));
  dataset.close();
  return samples;
}

function compare(metric: Metric, floats: readonly Answer[], answers: readonly Answer[]): Figures {
  let [signal, noise] = [0, 0];
  for (const [index, { outputs }] of answers.entries()) {
    for (const [name, array] of outputs) {
      const want = floats[index].outputs.get(name)?.data as Float32Array | undefined;
      if (!want) continue;
      (array.data as Float32Array).forEach((value, at) => {
        signal += want[at] ** 2;
        noise += (value - want[at]) ** 2;
      });
    }
  }
  const confidence = { teacher: 0, compiled: 0 };
  const records = answers.map(({ outcome }, index) => {
    const teacher = floats[index].outcome;
    return { id: String(index), group: String(index), slices: {}, teacher, compiled: outcome, confidence };
  });
  const { teacher, compiled, agreement, n } = summarise(metric, records);
  return {
    n,
    [`${metric.name}Float`]: round(teacher, 5),
    [metric.name]: round(compiled, 5),
    agreement: round(agreement, 5),
    sqnr: round(10 * Math.log10(signal / noise), 2),
  };
}

const bench: QuantBench = async (words) => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      weights: { type: "string", default: "int4" },
      block: { type: "string", default: "32" },
      samples: { type: "string", default: "128" },
      stages: { type: "string", default: "16" },
      vectors: { type: "string", default: "256" },
      limit: { type: "string", default: "1024" },
      damping: { type: "string", default: "0.01" },
      passes: { type: "string", default: "4" },
      steps: { type: "string", default: "500" },
      methods: { type: "string" },
      whole: { type: "boolean", default: false },
      set: { type: "string", multiple: true, default: [] },
    },
  });
  const set = [`quantize.weights=${values.weights}`, ...values.set];
  const recipe = loadRecipe(positionals[0] ?? "recipes/quickstart.yaml", { set });
  const target = loadTarget(recipe.target);
  const teacher = await importTeacher(recipe);
  const data = await openBuildData(recipe, teacher.graph);
  const environment = {
    calibration: data.calibration,
    data: data.data,
    log: { info: () => undefined, warn: (text: string) => process.stderr.write(`${text}\n`) },
    execute: loadInteger,
    jobs: 1,
  };
  const { graph } = await runPasses(teacher.graph, floatPasses(passesOf(recipe, target)), environment);
  const metric = await loadMetric(recipe.metric as MetricSpec, recipe.folder);
  const samples = await samplesOf(recipe, Number(values.limit));
  const floats = await answersOf(await floatModel(graph), samples, metric);
  const block = values.block === "all" ? Number.POSITIVE_INFINITY : Number(values.block);

  const roundedBy = async (step: string): Promise<Model> => {
    if (values.whole) {
      const quantize = { ...recipe.quantize, rounding: step as Recipe["quantize"]["rounding"] };
      const made = await runPasses(teacher.graph, passesOf({ ...recipe, quantize }, target), environment);
      return integerModel(made.graph);
    }
    const { searched = false, ...given } = STEPS[step] ?? {};
    const options: NetworkOptions = {
      method: "nearest",
      block,
      damping: Number(values.damping),
      actOrder: true,
      passes: Number(values.passes),
      steps: Number(values.steps),
      formatOf: () => values.weights as WeightFormat,
      samples: Number(values.samples),
      vectors: Number(values.vectors),
      stages: Number(values.stages),
      prefix: "rounded",
      biasCorrection: false,
      emit: "reals",
      jobs: 1,
      ...given,
    };
    const plain = await roundNetwork(graph, data.calibration, options);
    if (!searched) return floatModel(plain);
    const wide = { ...options, block: WIDE_BLOCK };
    const share = (bitsOf(graph, block) - bitsOf(graph, WIDE_BLOCK)) / 4;
    const few = Math.min(options.samples, 64);
    const kept = await eightBitChoices(graph, data.calibration, { ...wide, samples: few, trials: 32, share });
    const eight = new Set(kept.map(({ weights }) => weights));
    const formatOf: NetworkOptions["formatOf"] = ({ inputs }) => (eight.has(inputs[1]) ? "int8" : "int4");
    const mixed = await roundNetwork(graph, data.calibration, { ...wide, formatOf });
    const noise = (rounded: Graph): Promise<number> => noiseOf(rounded, graph, data.calibration, options.samples);
    return floatModel((await noise(mixed)) < (await noise(plain)) ? mixed : plain);
  };
  const rows: Figures[] = [];
  const steps = values.methods?.split(";") ?? (values.whole ? METHODS : Object.keys(STEPS));
  for (const step of steps) {
    const before = process.cpuUsage();
    const model = await roundedBy(step);
    const { user, system } = process.cpuUsage(before);
    const cpuSeconds = round((user + system) / 1e6, 1);
    const { weights, block: width } = values.whole ? recipe.quantize : values;
    const figures = compare(metric, floats, await answersOf(model, samples, metric));
    rows.push({ recipe: recipe.name, weights, block: width, whole: values.whole, step, ...figures, cpuSeconds });
    process.stderr.write(`${JSON.stringify(rows.at(-1))}\n`);
  }
  data.close();
  return rows;
};

export default bench;

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
