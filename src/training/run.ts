/** A training's recipe, run: data, network, losses, steps with checkpoints, metrics as JSON lines, the ONNX file. */

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { digestOfFile, writeFileAtomic } from "../artifact/file.ts";
import { type DataArray, type Dataset, openDataset } from "../data/dataset.ts";
import { bug, CompileError } from "../error.ts";
import { loadMetric } from "../evidence/metric.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { encodeModel, writeModel } from "../onnx/write.ts";
import type { Training } from "../recipe/training.ts";
import { createSession } from "../run/ort.ts";
import { withFreshWeights } from "../train/fresh.ts";
import { withWeights } from "../train/loop.ts";
import { withLosses } from "../train/losses.ts";
import { trainingMode } from "../train/mode.ts";
import { rateAt } from "../train/schedule.ts";
import { openShards, shardsOf } from "../train/shards.ts";
import { initialWeights, type Weights } from "../train/step.ts";
import type { LossTerm } from "../train/terms.ts";
import { batchOf } from "./batches.ts";
import { trainKept } from "./checkpoints.ts";
import { LABELS, labelShape, lossTerm, modelFor } from "./models.ts";
import { type Network, networkOf } from "./networks.ts";
import { type LatencyOf, writeStudent } from "./student.ts";
import { withTeacher } from "./teacher.ts";

export interface TrainingRun {
  /** Folder of the result: NAME.onnx, NAME.jsonl and the checkpoints. */
  readonly out: string;
  readonly resume: boolean;
  /** Threads that share out a batch's shards; the result does not depend on it. 1 unless said. */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  readonly warn?: (message: string) => void;
  /** What `student.maxMs` is measured by. */
  readonly latency?: LatencyOf;
  /** Told after every step and every validation. */
  readonly progress?: (now: TrainingProgress) => void;
}

export interface TrainingProgress {
  /** Steps that are done, those before a resumption included; `begun`: with how many this run began. */
  readonly done: number;
  readonly begun: number;
  readonly steps: number;
  readonly batch: number;
  readonly loss: number;
  readonly metric?: { readonly name: string; readonly value: number };
}

export interface TrainingResult {
  readonly schema: "optimus-compile/training@1";
  readonly model: string;
  readonly metrics: string;
  readonly checkpoints: string;
  /** What the model came from, by digests: the model that it began as, its teacher, recipe and data. */
  readonly lineage: string;
  readonly steps: number;
  readonly parameters: number;
  readonly metric?: { readonly name: string; readonly value: number };
}

/**
 * Trains as the recipe says. Killed and run again with `resume`, it writes the same bytes. Throws what trainKept, the data's
 * readers and the model's import throw, and usage/data-length where the data is less than a batch.
 */
export async function runTraining(recipe: Training, run: TrainingRun): Promise<TrainingResult> {
  const training = await openDataset(recipe.data.training, recipe.folder);
  const validation = recipe.data.validation && (await openDataset(recipe.data.validation, recipe.folder));
  try {
    mkdirSync(run.out, { recursive: true });
    const model = recipe.student ? await writeStudent(recipe, run, training) : recipe.model;
    return await runOn({ ...recipe, model: model ?? bug("no model") }, run, training, validation);
  } finally {
    training.close();
    validation?.close();
  }
}

/** Also where the recipe derives it, the model is a file. */
type WithModel = Training & { readonly model: string };

async function runOn(recipe: WithModel, run: TrainingRun, data: Dataset, validation: Dataset | undefined) {
  const { batch, shards, epochs, seed, threads } = recipe;
  const perEpoch = Math.floor(data.length / batch);
  if (perEpoch === 0) {
    throw new CompileError("usage/data-length", `a batch is ${batch} samples, but there are ${data.length}`, {
      where: "data.training",
    });
  }
  const steps = epochs * perEpoch;
  const files = {
    model: join(run.out, `${recipe.name}.onnx`),
    metrics: join(run.out, `${recipe.name}.jsonl`),
    checkpoints: join(run.out, `${recipe.name}.checkpoints`),
    lineage: join(run.out, `${recipe.name}.json`),
  };
  const network = await networkOf(recipe, recipe.model, data);
  const { graph, parameters, statistics, loss, learnt, labels } = await prepare(recipe, network, data);
  const weights = initialWeights(graph, [...parameters, ...statistics.map(({ name }) => name)]);
  const average = recipe.average === undefined ? undefined : { weights: new Map() as Weights, decay: recipe.average };
  const step = await openShards(graph, {
    ...{ loss, parameters, statistics, threads, shards },
    recompute: recipe.recompute,
    ...(run.jobs !== undefined && { workers: run.jobs }),
  });
  const judge = validation && (await openJudge(recipe, network, validation));
  let metric: TrainingResult["metric"];
  let begun = 0;
  let task = "";
  try {
    const rate = { ...recipe.rate, steps, warmUp: Math.round(recipe.rate.warmUp * perEpoch) };
    const options = {
      ...{ step, weights, steps, optimizer: step.optimizer(recipe.optimizer) },
      rate: (at: number) => rateAt(rate, at),
      batch: (at: number) => batchOf({ dataset: data, batch, seed, augment: recipe.augment, labels }, at),
      ...(recipe.clip !== undefined && { clip: recipe.clip }),
      ...(average && { average }),
      ...(run.signal && { signal: run.signal }),
    };
    const begins = (from: number): void => {
      begun = from;
      metric = keepLines(files.metrics, from);
    };
    task = await taskOf(recipe, data);
    const keeping = {
      ...{ folder: files.checkpoints, task, every: recipe.checkpoint },
      ...{ resume: run.resume, begins, ...(run.warn && { warn: run.warn }) },
    };
    for await (const report of trainKept(options, keeping)) {
      const done = report.step + 1;
      const now = { done, begun, steps, batch, loss: report.loss };
      note(files.metrics, { step: report.step, loss: report.loss, rate: report.rate, norm: report.norm });
      if (judge !== undefined && done % perEpoch === 0) {
        metric = await judge(average?.weights ?? weights);
        note(files.metrics, { step: report.step, epoch: done / perEpoch, metric: metric.name, value: metric.value });
      }
      run.progress?.({ ...now, ...(metric && { metric }) });
    }
  } finally {
    await step.release();
  }
  const learntBeside = new Set(learnt);
  const own = [...(average?.weights ?? weights)].filter(([name]) => !learntBeside.has(name));
  writeModel(await network.finish(new Map(own)), files.model);
  const count = parameters.reduce((sum, name) => sum + (weights.get(name)?.shape ?? []).reduce((a, b) => a * b, 1), 0);
  const schema = "optimus-compile/training@1" as const;
  const lineage = {
    ...{ schema: "optimus-compile/trained@1", model: digestOfFile(files.model, "model"), task, steps },
    begunWith: digestOfFile(recipe.model, "model"),
    ...(recipe.teacher !== undefined && { teacher: digestOfFile(recipe.teacher, "teacher") }),
    ...(metric && { metric }),
  };
  writeFileAtomic(files.lineage, [`${JSON.stringify(lineage, undefined, 2)}\n`]);
  return { schema, ...files, steps, parameters: count, ...(metric && { metric }) };
}

/** The graph of a step's shard, and what it is fed beside the data. */
async function prepare(recipe: WithModel, network: Network, data: Dataset) {
  const { batch, shards, seed, losses } = recipe;
  const given = await network.graphFor(batch / shards);
  const start = recipe.weights === "fresh" ? withFreshWeights(given, network.parameters, seed) : given;
  const wanted = losses.flatMap((term) => (term.kind === "labels" ? [] : [term.teacher]));
  const source =
    recipe.teacher === undefined || wanted.length === 0
      ? undefined
      : await modelFor(recipe.teacher, data.describe().inputs, batch / shards);
  const { graph: learning, statistics } = trainingMode(start);
  const beside = source ? await withTeacher(learning, source, wanted) : learning;
  const byLabels = losses.find(({ kind }) => kind === "labels");
  const [rows, ...places] = byLabels?.kind === "labels" ? labelShape(given, byLabels.scores) : [];
  const labels = byLabels && { name: LABELS, shape: [rows * shards, ...places] };
  let terms = losses.map((term) => lossTerm(term, source));
  if (recipe.balance) {
    const feeds = await batchOf({ dataset: data, batch, seed, augment: recipe.augment, labels }, 0);
    terms = await balanced(beside, terms, feeds, shards);
  }
  const { graph, loss, learnt } = withLosses(beside, terms);
  return { graph, statistics, loss, parameters: [...network.parameters, ...learnt], learnt, labels };
}

/** Weights by which each term of the loss is 1 on the first batch's first shard, times what the recipe gives it. */
async function balanced(
  graph: Graph,
  terms: readonly LossTerm[],
  feeds: ReadonlyMap<string, Tensor>,
  shards: number,
): Promise<LossTerm[]> {
  const bare = withLosses(
    graph,
    terms.map((term) => ({ ...term, weight: 1 })),
  );
  const session = await createSession(encodeModel({ ...bare.graph, outputs: bare.terms }));
  try {
    const found = await session.run(shardsOf(feeds, bare.graph, shards)[0]);
    const values = bare.terms.map((name) => Math.abs(numbersOf(found.get(name) ?? bug(`no loss "${name}"`))[0]));
    // What is nothing at first, as between a network and its copy, is not blown up.
    const least = Math.max(...values) * LEAST_SHARE || 1;
    return terms.map((term, index) => ({ ...term, weight: (term.weight ?? 1) / Math.max(least, values[index]) }));
  } finally {
    await session.release();
  }
}

const LEAST_SHARE = 1e-3;

/** The metric of some weights on the validation data, sample by sample. */
async function openJudge(recipe: WithModel, network: Network, data: Dataset) {
  const metric = await loadMetric(recipe.metric, recipe.folder);
  const graph = await network.graphFor(1);
  return async (weights: Weights): Promise<{ name: string; value: number }> => {
    const session = await createSession(encodeModel(withWeights(graph, weights)), { threads: recipe.threads });
    try {
      const outcomes: unknown[] = [];
      for (let index = 0; index < data.length; index++) {
        const { inputs, target } = await data.read(index);
        const feeds = new Map([...inputs].filter(([name]) => graph.inputs.includes(name)));
        const outputs = await session.run(feeds as ReadonlyMap<string, Tensor>);
        outcomes.push(
          metric.outcome(outputs as ReadonlyMap<string, unknown> as ReadonlyMap<string, DataArray>, target),
        );
      }
      return { name: metric.name, value: metric.combine(outcomes, outcomes) };
    } finally {
      await session.release();
    }
  };
}

/** Samples that stand for all of them in a training's name: reading all can take as long as an epoch. */
const PROBES = 64;

/** What must not change while a training is interrupted: settings, networks, and the data, by a part of its samples. */
async function taskOf(recipe: WithModel, data: Dataset): Promise<string> {
  const { folder, name, model, teacher, checkpoint, ...settings } = recipe;
  const hash = createHash("sha256").update(JSON.stringify(settings)).update(digestOfFile(model, "model"));
  if (teacher !== undefined) hash.update(digestOfFile(teacher, "teacher"));
  const probes = Math.min(PROBES, data.length);
  hash.update(`\n${data.length}`);
  for (let at = 0; at < probes; at++) {
    const sample = await data.read(Math.floor((at * data.length) / probes));
    hash.update(`\n${sample.hash} ${typeof sample.target === "string" ? sample.target : sample.target?.data.join()}`);
  }
  return `sha256:${hash.digest("hex")}`;
}

function note(path: string, line: object): void {
  appendFileSync(path, `${JSON.stringify(line)}\n`);
}

/** Drops what was noted of steps that will be done again; the last metric that stays. */
function keepLines(path: string, from: number): TrainingResult["metric"] {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const kept: string[] = [];
  let metric: TrainingResult["metric"];
  for (const text of lines) {
    const line = parsed(text);
    if (line === undefined || line.step >= from) continue;
    kept.push(`${text}\n`);
    if (line.metric !== undefined && line.value !== undefined) metric = { name: line.metric, value: line.value };
  }
  writeFileAtomic(path, kept);
  return metric;
}

function parsed(text: string): { step: number; metric?: string; value?: number } | undefined {
  try {
    const line = JSON.parse(text) as { step?: unknown; metric?: string; value?: number } | null;
    return typeof line?.step === "number" ? { ...line, step: line.step } : undefined;
  } catch {
    return undefined;
  }
}
