import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { Samples } from "../pass.ts";
import { createPool } from "../run/pool.ts";
import { emptyHistogram, type Histogram, merge } from "./histogram.ts";
import {
  type ChannelSums,
  mergeSums,
  NO_PEAK,
  NO_SUMS,
  type Observation,
  type ObserveInit,
  type ObserveTask,
  observerOf,
  observeTask,
  openObserver,
  type Peak,
  requireFinite,
} from "./observe.ts";
import type { Wanted } from "./probe.ts";
import { mergePeaks } from "./warnings.ts";
import { jobsFor } from "./work.ts";

export interface CalibrateOptions {
  /** At most this many samples, spread evenly over the split. */
  readonly samples: number;
  /** Worker threads at most; 1 works here, as does what is soon done. */
  readonly jobs: number;
  readonly signal?: AbortSignal;
}

/** Steps of a stream that count as one sample: how it begins says little about it, and a step is little work. */
export const STEPS_A_SAMPLE = 16;

/** How many items of the calibration data stand for one sample. */
export const stepsOf = ({ sequence }: Samples): number => (sequence ? STEPS_A_SAMPLE : 1);

/** Samples that one task runs: small enough to share out, large enough to pay for its histograms. */
const CHUNK = 16;

/** What calibration found out about the float graph. */
export interface Calibration {
  readonly histograms: ReadonlyMap<string, Histogram>;
  readonly peaks: ReadonlyMap<string, Peak>;
  /** The wanted moment of each channel, in the order of the requests; empty where the shape is not known beforehand. */
  readonly channels: readonly Float64Array[];
}

/** Runs the graph over the calibration samples; the result is equal for any number of workers. */
export async function calibrate(
  graph: Graph,
  wanted: Wanted,
  samples: Samples,
  options: CalibrateOptions,
): Promise<Calibration> {
  const { channels } = wanted;
  const values = [...wanted.values, ...wanted.extremes];
  // A graph of integers alone has nothing to calibrate.
  if (values.length === 0 && channels.length === 0) return { histograms: new Map(), peaks: new Map(), channels: [] };
  const count = Math.min(options.samples, samples.size);
  const init = observerOf(graph, wanted, count);
  const jobs = jobsFor(graph, count, options.jobs);
  const merged = values.map(emptyHistogram);
  const highest = values.map(() => NO_PEAK);
  const totals = channels.map(() => NO_SUMS);
  let any = false;
  for await (const { histograms, peaks, sums } of observations(init, tasksOf(samples, options.samples), {
    ...options,
    jobs,
  })) {
    histograms.forEach((histogram, index) => {
      merge(merged[index], histogram);
    });
    peaks.forEach((peak, index) => {
      highest[index] = mergePeaks(highest[index], peak);
    });
    sums.forEach((sum, index) => {
      totals[index] = mergeSums(totals[index], sum);
    });
    any = true;
  }
  if (!any) throw new CompileError("usage/no-calibration", "the calibration split is empty");
  const found = new Map(values.map((name, index) => [name, merged[index]]));
  requireFinite(found);
  const peaks = new Map(values.map((name, index) => [name, highest[index]]));
  return { histograms: found, peaks, channels: totals.map(meansOf) };
}

function meansOf({ sums, count }: ChannelSums): Float64Array {
  return sums.map((sum) => sum / count);
}

async function* observations(
  init: ObserveInit,
  tasks: AsyncIterable<ObserveTask>,
  { jobs, signal }: CalibrateOptions,
): AsyncGenerator<Observation> {
  if (jobs > 1) {
    const worker = new URL(`./observe-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    yield* createPool(jobs).map<ObserveInit, ObserveTask, Observation>(worker, init, tasks, { signal });
    return;
  }
  const session = await openObserver(init);
  try {
    for await (const task of tasks) {
      signal?.throwIfAborted();
      yield await observeTask(session, init, task);
    }
  } finally {
    await session.release();
  }
}

/** Samples of one sequence stay together and in order; others go by chunks. Cut by index, never by worker. */
export async function* tasksOf(samples: Samples, limit: number): AsyncGenerator<ObserveTask> {
  let task: ObserveTask["samples"][number][] = [];
  let first = 0;
  let sequence: string | undefined;
  for (const index of chosen(samples, limit)) {
    const of = samples.sequence?.(index);
    const ends = of === undefined ? task.length >= CHUNK : of !== sequence;
    if (ends && task.length > 0) {
      yield { first, samples: task };
      first += task.length;
      task = [];
    }
    sequence = of;
    task.push(await samples.feeds(index));
  }
  if (task.length > 0) yield { first, samples: task };
}

/** Evenly spread indices; sequences are taken from the front, whole as far as the limit goes. */
export function* chosen(samples: Samples, limit: number): Generator<number> {
  const count = Math.min(limit, samples.size);
  const streams = samples.sequence?.(0) !== undefined;
  for (let index = 0; index < count; index++) yield streams ? index : Math.floor((index * samples.size) / count);
}
