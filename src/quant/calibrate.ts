import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { Samples } from "../pass.ts";
import { openPool } from "../run/pool.ts";
import { emptyHistogram, type Histogram, merge } from "./histogram.ts";
import {
  type ObserveInit,
  type ObserveTask,
  observedModel,
  observeTask,
  openObserver,
  requireFinite,
} from "./observe.ts";

export interface CalibrateOptions {
  /** At most this many samples, spread evenly over the split. */
  readonly samples: number;
  /** Worker threads; 1 works here. */
  readonly jobs: number;
  readonly signal?: AbortSignal;
}

/** Samples that one task runs: small enough to share out, large enough to pay for its histograms. */
const CHUNK = 16;

type Work = (task: ObserveTask) => Promise<Histogram[]>;

/** Histograms of `values` over the calibration samples; equal for any number of workers. */
export async function calibrate(
  graph: Graph,
  values: readonly string[],
  samples: Samples,
  options: CalibrateOptions,
): Promise<Map<string, Histogram>> {
  const init: ObserveInit = { model: observedModel(graph, values), values, states: graph.states };
  const merged = values.map(emptyHistogram);
  // Merging is exact and order does not matter (histogram.ts), so whoever is done first is merged first.
  const take = (results: readonly Histogram[]) =>
    results.forEach((histogram, index) => merge(merged[index], histogram));
  const { work, close } = await openWork(init, options);
  try {
    await drain(tasksOf(samples, options.samples), work, take, Math.max(1, options.jobs) * 2, options.signal);
  } finally {
    await close();
  }
  const found = new Map(values.map((name, index) => [name, merged[index]]));
  requireFinite(found);
  return found;
}

async function openWork(
  init: ObserveInit,
  { jobs, signal }: CalibrateOptions,
): Promise<{ work: Work; close(): Promise<void> }> {
  if (jobs <= 1) {
    const session = await openObserver(init);
    return { work: (task) => observeTask(session, init, task), close: () => session.release() };
  }
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const worker = new URL(`./observe-worker${extension}`, import.meta.url);
  const pool = openPool<ObserveTask, Histogram[]>(worker, { threads: jobs, workerData: init, signal });
  return { work: (task) => pool.run(task), close: () => pool.close() };
}

/** Keeps at most `width` tasks under way, so that memory does not grow with the number of samples. */
async function drain(
  tasks: AsyncIterable<ObserveTask>,
  work: Work,
  take: (results: readonly Histogram[]) => void,
  width: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let any = false;
  for await (const task of tasks) {
    signal?.throwIfAborted();
    any = true;
    const job: Promise<void> = work(task).then((results) => {
      take(results);
      running.delete(job);
    });
    // The failure is thrown where it is waited for; until then nobody may call it unhandled.
    job.catch(() => undefined);
    running.add(job);
    if (running.size >= width) await Promise.race(running);
  }
  await Promise.all(running);
  if (!any) throw new CompileError("usage/no-calibration", "the calibration split is empty");
}

/** Samples of one sequence stay together and in order; others go by chunks. Cut by index, never by worker. */
async function* tasksOf(samples: Samples, limit: number): AsyncGenerator<ObserveTask> {
  let task: ObserveTask["samples"][number][] = [];
  let sequence: string | undefined;
  for (const index of chosen(samples, limit)) {
    const of = samples.sequence?.(index);
    const ends = of === undefined ? task.length >= CHUNK : of !== sequence;
    if (ends && task.length > 0) {
      yield { samples: task };
      task = [];
    }
    sequence = of;
    task.push(await samples.feeds(index));
  }
  if (task.length > 0) yield { samples: task };
}

/** Evenly spread indices; sequences are taken from the front, whole as far as the limit goes. */
function* chosen(samples: Samples, limit: number): Generator<number> {
  const count = Math.min(limit, samples.size);
  const streams = samples.sequence?.(0) !== undefined;
  for (let index = 0; index < count; index++) yield streams ? index : Math.floor((index * samples.size) / count);
}
