/** A whole plan beside the teacher on the selection split. The certification split is never opened here. */
import { type CertifyAnswer, type CertifyTask, type CertifyWork, tasksOf } from "../certify/task.ts";
import { openDataset } from "../data/dataset.ts";
import type { Wanted } from "../data/fit.ts";
import type { SampleRecord } from "../evidence/evaluate.ts";
import { summarise } from "../evidence/evaluate.ts";
import { loadMetric } from "../evidence/metric.ts";
import type { Recipe } from "../recipe.ts";
import { createPool } from "../run/pool.ts";

export interface Judgement {
  readonly metric: string;
  readonly teacher: number;
  readonly compiled: number;
  /** Positive where the plan is worse. */
  readonly drop: number;
  readonly agreement: number;
  readonly samples: number;
}

export interface JudgeOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (done: number, of: number) => void;
}

/** @param record the integer graph, encoded. Throws what the data and the metric throw. */
export async function judgeRecord(
  recipe: Recipe,
  record: Uint8Array,
  wanted: Wanted,
  { signal, progress }: JudgeOptions = {},
): Promise<Judgement> {
  const { selection } = recipe.data;
  if (selection === undefined) throw new Error("bug: plans are judged on a selection split");
  const dataset = await openDataset(selection, recipe.folder);
  const tasks = tasksOf(dataset.length, dataset.sequences);
  const total = dataset.length;
  dataset.close();
  const { model, inputs, folder, metric, jobs } = recipe;
  const work: CertifyWork = { record, model, inputs, data: selection, folder, metric, wanted };
  const worker = new URL(`../certify/worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  const records: SampleRecord[] = [];
  const answers = createPool(jobs).map<CertifyWork, CertifyTask, CertifyAnswer>(
    worker,
    work,
    tasks,
    signal ? { signal } : {},
  );
  for await (const answer of answers) {
    records.push(...answer.records);
    progress?.(records.length, total);
  }
  const found = summarise(await loadMetric(metric, folder), records);
  const { teacher, compiled, drop, agreement } = found;
  return { metric: found.metric, teacher, compiled, drop, agreement, samples: records.length };
}
