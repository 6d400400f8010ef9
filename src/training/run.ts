/** A training's recipe, run: data, network, losses, steps with checkpoints, metrics as JSON lines, the ONNX file. */

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { digestOfFile, writeFileAtomic } from "../artifact/file.ts";
import { type DataArray, type Dataset, openDataset } from "../data/dataset.ts";
import { bug, CompileError } from "../error.ts";
import { loadMetric } from "../evidence/metric.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { encodeModel, writeModel } from "../onnx/write.ts";
import type { Training } from "../recipe/training.ts";
import { createSession } from "../run/ort.ts";
import { withFreshWeights } from "../train/fresh.ts";
import { withWeights } from "../train/loop.ts";
import { withLosses } from "../train/losses.ts";
import { parametersOf, trainingMode } from "../train/mode.ts";
import { makeOptimizer } from "../train/optimizer.ts";
import { rateAt } from "../train/schedule.ts";
import { initialWeights, openStep, type Weights } from "../train/step.ts";
import { batchOf } from "./batches.ts";
import { trainKept } from "./checkpoints.ts";
import { LABELS, labelShape, lossTerm, modelFor, openTeacher, type Teacher, trainedModel } from "./models.ts";

import { type LatencyOf, writeStudent } from "./student.ts";

export interface TrainingRun {
  /** Folder of the result: NAME.onnx, NAME.jsonl and the checkpoints. */
  readonly out: string;
  readonly resume: boolean;
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
  const { batch, epochs, seed, threads } = recipe;
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
  };
  const { graph, parameters, statistics, loss, teacher, labels } = await prepare(recipe, data);
  const weights = initialWeights(graph, [...parameters, ...statistics.map(({ name }) => name)]);
  const average = recipe.average === undefined ? undefined : { weights: new Map() as Weights, decay: recipe.average };
  const step = await openStep(graph, { loss, parameters, statistics, threads });
  const shapes = data.describe().inputs;
  const judge = validation && (await openJudge(recipe, validation));
  let metric: TrainingResult["metric"];
  let begun = 0;
  try {
    const rate = { ...recipe.rate, steps, warmUp: Math.round(recipe.rate.warmUp * perEpoch) };
    const options = {
      ...{ step, weights, steps, optimizer: makeOptimizer(recipe.optimizer) },
      rate: (at: number) => rateAt(rate, at),
      async batch(at: number): Promise<ReadonlyMap<string, Tensor>> {
        const feeds = await batchOf({ dataset: data, batch, seed, augment: recipe.augment, labels }, at);
        return teacher ? new Map([...feeds, ...(await teacher.values(feeds))]) : feeds;
      },
      ...(recipe.clip !== undefined && { clip: recipe.clip }),
      ...(average && { average }),
      ...(run.signal && { signal: run.signal }),
    };
    const begins = (from: number): void => {
      begun = from;
      metric = keepLines(files.metrics, from);
    };
    const keeping = {
      ...{ folder: files.checkpoints, task: await taskOf(recipe, data), every: recipe.checkpoint },
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
    await teacher?.release();
  }
  writeModel(await trainedModel(recipe.model, shapes, average?.weights ?? weights), files.model);
  const count = parameters.reduce((sum, name) => sum + (weights.get(name)?.shape ?? []).reduce((a, b) => a * b, 1), 0);
  const schema = "optimus-compile/training@1" as const;
  return { schema, ...files, steps, parameters: count, ...(metric && { metric }) };
}

/** The graph of a step, and what it is fed beside the data. */
async function prepare(recipe: WithModel, data: Dataset) {
  const { batch, seed, threads, losses } = recipe;
  const shapes = data.describe().inputs;
  const given = await modelFor(recipe.model, shapes, batch);
  const start = recipe.weights === "fresh" ? withFreshWeights(given, parametersOf(given), seed) : given;
  const { graph: scored, loss } = withLosses(start, losses.map(lossTerm));
  const { graph, statistics } = trainingMode(scored);
  const byLabels = losses.find(({ kind }) => kind === "labels");
  const labels = byLabels?.kind === "labels" ? { name: LABELS, shape: labelShape(given, byLabels.scores) } : undefined;
  const wanted = losses.flatMap((term) => (term.kind === "labels" ? [] : [term.teacher]));
  let teacher: Teacher | undefined;
  if (recipe.teacher !== undefined && wanted.length > 0) {
    teacher = await openTeacher(await modelFor(recipe.teacher, shapes, batch), wanted, threads);
  }
  return { graph, statistics, loss, parameters: parametersOf(given), teacher, labels };
}

/** The metric of some weights on the validation data, sample by sample. */
async function openJudge(recipe: WithModel, data: Dataset) {
  const metric = await loadMetric(recipe.metric, recipe.folder);
  const graph: Graph = await modelFor(recipe.model, data.describe().inputs, 1);
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
