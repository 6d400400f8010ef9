/**
 * `ablation RECIPE [--weights int4] [--block 32] [--samples N] [--stages N] [--limit N] [--methods a,b]`: what each step of
 * rounding is worth. Weights only are rounded, everything else stays float, under ONNX Runtime, on the recipe's selection
 * split. One JSON line a method: the metric, the share of answers equal to the teacher's, and the outputs' signal-to-noise ratio.
 */
import { parseArgs } from "node:util";
import { openBuildData } from "../../src/build/data.ts";
import { passesOf } from "../../src/build/passes.ts";
import { importTeacher } from "../../src/build/teacher.ts";
import { type DataArray, openDataset } from "../../src/data/dataset.ts";
import type { SampleRecord } from "../../src/evidence/evaluate.ts";
import { summarise } from "../../src/evidence/evaluate.ts";
import { loadMetric, type Metric } from "../../src/evidence/metric.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import type { PassSpec } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import type { WeightFormat } from "../../src/quant/format.ts";
import { type NetworkOptions, roundNetwork } from "../../src/quant/rounding/network.ts";
import { loadRecipe, type Recipe } from "../../src/recipe.ts";
import { createSession } from "../../src/run/ort.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Figures, QuantBench } from "../quant.ts";

/** Each step with what it adds to the one before. */
const STEPS: Readonly<Record<string, Partial<NetworkOptions>>> = {
  float: {},
  nearest: { method: "nearest" },
  mse: { method: "mse" },
  "h-mse": { method: "h-mse" },
  "gptq, float prefix": { method: "gptq", stages: 1 },
  gptq: { method: "gptq" },
  "gptq, natural order": { method: "gptq", actOrder: false },
  descent: { method: "descent" },
  "gptq+descent": { method: "gptq+descent" },
  "gptq+descent, bias": { method: "gptq+descent", biasCorrection: true },
  "nearest, bias": { method: "nearest", biasCorrection: true },
};

/** What stands before the first quantizing pass that decides on codes. */
function floatPasses(passes: readonly PassSpec[]): PassSpec[] {
  const nameOf = (spec: PassSpec) => (typeof spec === "string" ? spec : (spec as { pass?: string }).pass);
  const end = passes.findIndex((spec) => ["quantize/round-weights", "quantize/int8"].includes(nameOf(spec) ?? ""));
  return passes.slice(0, end);
}

interface Answer {
  readonly outputs: ReadonlyMap<string, DataArray>;
  readonly outcome: unknown;
}

async function answersOf(graph: Graph, recipe: Recipe, limit: number, metric: Metric): Promise<Answer[]> {
  const dataset = await openDataset(recipe.data.selection ?? recipe.data.calibration, recipe.folder);
  const states = graph.states;
  const visible = graph.outputs.filter((name) => !states.some(({ output }) => output === name));
  const outputs = [...new Set([...graph.outputs, ...states.map(({ output }) => output)])];
  const session = await createSession(encodeModel({ ...graph, outputs, states: [], metadata: new Map() }));
  const answers: Answer[] = [];
  let sequence: string | undefined;
  let held = new Map(states.map(({ input, init }) => [input, init]));
  for (let index = 0; index < Math.min(limit, dataset.length); index++) {
    const sample = await dataset.read(index);
    if (sample.sequence !== sequence) held = new Map(states.map(({ input, init }) => [input, init]));
    sequence = sample.sequence;
    const found = await session.run(new Map([...held, ...(sample.inputs as ReadonlyMap<string, Tensor>)]));
    for (const { input, output } of states) held.set(input, found.get(output) as Tensor);
    const shown = new Map(visible.map((name) => [name, found.get(name) as DataArray]));
    answers.push({ outputs: shown, outcome: metric.outcome(shown, sample.target) });
  }
  await session.release();
  dataset.close();
  return answers;
}

function noiseOf(floats: readonly Answer[], answers: readonly Answer[]): number {
  let [signal, noise] = [0, 0];
  for (const [index, { outputs }] of answers.entries()) {
    for (const [name, array] of outputs) {
      const want = floats[index].outputs.get(name)?.data as Float32Array;
      (array.data as Float32Array).forEach((value, at) => {
        signal += want[at] ** 2;
        noise += (value - want[at]) ** 2;
      });
    }
  }
  return 10 * Math.log10(signal / noise);
}

const bench: QuantBench = async (words) => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      weights: { type: "string", default: "int4" },
      block: { type: "string", default: "32" },
      samples: { type: "string", default: "128" },
      stages: { type: "string", default: "8" },
      vectors: { type: "string", default: "256" },
      limit: { type: "string", default: "1024" },
      damping: { type: "string", default: "0.01" },
      passes: { type: "string", default: "4" },
      methods: { type: "string" },
      set: { type: "string", multiple: true, default: [] },
    },
  });
  const recipe = loadRecipe(positionals[0] ?? "recipes/quickstart.yaml", { set: values.set });
  const teacher = await importTeacher(recipe);
  const data = await openBuildData(recipe, teacher.graph);
  const passes = floatPasses(passesOf(recipe, loadTarget(recipe.target)));
  const log = { info: () => undefined, warn: (text: string) => process.stderr.write(`${text}\n`) };
  const { graph } = await runPasses(teacher.graph, passes, { calibration: data.calibration, log, jobs: 1 });
  const metric = await loadMetric(recipe.metric as never, recipe.folder);
  const rows: Figures[] = [];
  const limit = Number(values.limit);
  const floats = await answersOf(graph, recipe, limit, metric);
  const block = values.block === "all" ? Number.POSITIVE_INFINITY : Number(values.block);
  for (const [step, wanted] of Object.entries(STEPS)) {
    if (values.methods !== undefined && !values.methods.split(";").includes(step)) continue;
    const before = process.cpuUsage();
    const options: NetworkOptions = {
      method: "nearest",
      block,
      damping: Number(values.damping),
      actOrder: true,
      passes: Number(values.passes),
      formatOf: () => values.weights as WeightFormat,
      samples: Number(values.samples),
      vectors: Number(values.vectors),
      stages: Number(values.stages),
      biasCorrection: false,
      emit: "reals",
      jobs: 1,
      ...wanted,
    };
    const rounded = step === "float" ? graph : await roundNetwork(graph, data.calibration, options);
    const spent = process.cpuUsage(before);
    const answers = step === "float" ? floats : await answersOf(rounded, recipe, limit, metric);
    const records = answers.map(({ outcome }, index): SampleRecord => {
      const confidence = { teacher: 0, compiled: 0 };
      return {
        id: String(index),
        group: String(index),
        slices: {},
        teacher: floats[index].outcome,
        compiled: outcome,
        confidence,
      };
    });
    const { compiled, agreement, n } = summarise(metric, records);
    const figures = {
      [metric.name]: round(compiled, 5),
      agreement: round(agreement, 5),
      sqnr: round(noiseOf(floats, answers), 2),
    };
    const cpuSeconds = round((spent.user + spent.system) / 1e6, 1);
    const { weights } = values;
    rows.push({ recipe: recipe.name, weights, block: values.block, step, n, ...figures, cpuSeconds });
    process.stderr.write(`${JSON.stringify(rows.at(-1))}\n`);
  }
  data.close();
  return rows;
};

export default bench;

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
