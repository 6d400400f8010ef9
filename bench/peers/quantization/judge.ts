/** All of a teacher's rows beside it on the held-out data, and by how much ours are better. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wantedOf } from "../../../src/build/data.ts";
import { tasksOf } from "../../../src/certify/task.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset.ts";
import { fitSample } from "../../../src/data/fit.ts";
import { loadMetric, type Metric } from "../../../src/evidence/metric.ts";
import { dropLimits } from "../../../src/evidence/statistics/drop.ts";
import type { Graph, Tensor } from "../../../src/ir/graph.ts";
import { encodeModel } from "../../../src/onnx/write.ts";
import type { Recipe } from "../../../src/recipe.ts";
import { cut } from "../../../test/acceptance/agreement.ts";
import { AGREEMENT, type Equal, equalAnswers, shareOf } from "../../../test/acceptance/quantization/agreement.ts";
import { type Answering, open, openModel } from "./contender.ts";
import type { Row } from "./rows.ts";

/** Outcomes of one model in the order of the samples. */
export interface Answers {
  readonly groups: readonly string[];
  readonly outcomes: readonly unknown[];
  /** Why the model could not answer. */
  readonly failed?: string;
}

export interface Judged {
  readonly metric: Metric;
  readonly teacher: Answers;
  readonly rows: ReadonlyMap<Row, Answers>;
}

const ALPHA = 0.025;

/** What was answered before lies in `folder` and is not asked again. */
export async function judge(
  recipe: Recipe,
  graph: Graph,
  rows: readonly Row[],
  { folder, samples }: { readonly folder: string; readonly samples: number },
): Promise<Judged> {
  const metric = await loadMetric(recipe.metric, recipe.folder);
  const dataset = await openDataset(recipe.data.certification, recipe.folder);
  const chosen = chosenOf(dataset, samples);
  const file = (id: string) => join(folder, `${id}-${chosen.length}.json`);
  const ids = ["teacher", ...rows.map(({ id }) => id)];
  const missing = ids.filter((id) => !existsSync(file(id)));
  const models = await Promise.all(
    missing.map((id): Promise<Answering> => {
      const row = rows.find((each) => each.id === id);
      return row
        ? open(row, graph).catch((error) => unable(error))
        : openModel(encodeModel({ ...graph, states: [] }), graph);
    }),
  );
  const found = await answersOf(models, metric, dataset, graph, chosen);
  for (const [at, id] of missing.entries()) writeFileSync(file(id), JSON.stringify(found[at]));
  for (const model of models) await model.release();
  dataset.close();
  const read = (id: string) => JSON.parse(readFileSync(file(id), "utf8")) as Answers;
  return { metric, teacher: read("teacher"), rows: new Map(rows.map((row) => [row, read(row.id)])) };
}

/** A model that the runtime refuses. */
function unable(error: unknown): Answering {
  return { step: () => Promise.reject(error), reset: () => undefined, release: async () => undefined };
}

/** Evenly spread; of streams the first steps. */
function chosenOf({ length, sequences }: Dataset, samples: number): number[] {
  const count = Math.min(length, samples);
  if (sequences === undefined) return Array.from({ length: count }, (_, at) => Math.floor((at * length) / count));
  const tasks = cut(tasksOf(length, sequences), count);
  return tasks.flatMap((task) => Array.from({ length: task.length }, (_, at) => task.start + at));
}

async function answersOf(
  models: readonly Answering[],
  metric: Metric,
  dataset: Dataset,
  graph: Graph,
  chosen: readonly number[],
): Promise<Answers[]> {
  const wanted = wantedOf(graph);
  const starts = new Set(dataset.sequences?.map(({ start }) => start));
  const answers = models.map(() => ({ groups: [] as string[], outcomes: [] as unknown[], failed: "" }));
  if (models.length === 0) return answers;
  for (const index of chosen) {
    const sample = await dataset.read(index);
    const feeds = fitSample(sample, wanted) as ReadonlyMap<string, Tensor>;
    for (const [at, model] of models.entries()) {
      if (answers[at].failed !== "") continue;
      if (starts.has(index)) model.reset();
      try {
        answers[at].outcomes.push(metric.outcome(await model.step(feeds), sample.target));
        answers[at].groups.push(sample.group);
      } catch (error) {
        answers[at].failed = String(error).slice(0, 300);
      }
    }
  }
  return answers.map(({ failed, ...rest }) => (failed === "" ? rest : { ...rest, failed }));
}

/** How a row did beside the teacher. */
export function figuresOf({ metric, teacher, rows }: Judged, row: Row): object {
  const { groups, outcomes } = rows.get(row) as Answers;
  const [reference, found] = [teacher.outcomes, outcomes].map((list) => metric.combine(list, teacher.outcomes));
  const sign = metric.direction === "higher" ? 1 : -1;
  return {
    ...{ samples: outcomes.length, groups: new Set(groups).size, metric: metric.name, fp32: reference },
    drop: sign * (reference - found),
    agreement: shareOf(equalsOf(metric, teacher, outcomes)),
  };
}

/** By how much `ours` is better than `other`: least, estimate and most at 95 %, paired by group. */
export function gains({ metric, teacher, rows }: Judged, ours: Row, other: Row): object {
  const [mine, theirs] = [rows.get(ours) as Answers, rows.get(other) as Answers];
  const limits = (of: Metric, own: readonly unknown[], others: readonly unknown[]) => {
    const pairs = own.map((each, at) => ({ group: teacher.groups[at], teacher: each, compiled: others[at] }));
    const found = dropLimits(of, pairs, { alpha: ALPHA, seed: 1 });
    return found && [found.lower, found.estimate, found.upper];
  };
  return {
    metric: limits(metric, mine.outcomes, theirs.outcomes),
    agreement: limits(AGREEMENT, equalsOf(metric, teacher, mine.outcomes), equalsOf(metric, teacher, theirs.outcomes)),
  };
}

const equalsOf = (metric: Metric, teacher: Answers, outcomes: readonly unknown[]): Equal[] =>
  outcomes.map((outcome, at) => equalAnswers(metric, teacher.outcomes[at], outcome));
