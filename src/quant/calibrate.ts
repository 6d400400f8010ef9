import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { Samples } from "../pass.ts";
import type { Histogram } from "./histogram.ts";
import { mergeAll, type ObserveInit, type ObserveTask, observedModel, observeTask, openObserver } from "./observe.ts";

export interface CalibrateOptions {
  /** At most this many samples, from the front. */
  readonly samples: number;
  readonly pool?: unknown;
  readonly signal?: AbortSignal;
}

/** Samples that one task runs: small enough to share out, large enough to pay for its histograms. */
const CHUNK = 16;

/** Histograms of `values` over the calibration samples; equal for any number of workers. */
export async function calibrate(
  graph: Graph,
  values: readonly string[],
  samples: Samples,
  options: CalibrateOptions,
): Promise<Map<string, Histogram>> {
  const init: ObserveInit = { model: observedModel(graph, values), values, states: graph.states };
  const results: Histogram[][] = [];
  const session = await openObserver(init);
  try {
    for await (const task of tasksOf(samples, options.samples)) {
      options.signal?.throwIfAborted();
      results.push(await observeTask(session, init, task));
      if (results.length > 1) collapse(values, results);
    }
  } finally {
    await session.release();
  }
  if (results.length === 0) throw new CompileError("usage/no-calibration", "the calibration split is empty");
  return mergeAll(values, results);
}

/** Keeps one set of histograms however many samples there are. */
function collapse(values: readonly string[], results: Histogram[][]): void {
  const merged = mergeAll(values, results.splice(0));
  results.push(values.map((name) => merged.get(name) as Histogram));
}

/** Samples of one sequence stay together and in order; others go by chunks. Cut by index, never by worker. */
async function* tasksOf(samples: Samples, limit: number): AsyncGenerator<ObserveTask> {
  const count = Math.min(limit, samples.size);
  let task: ObserveTask["samples"][number][] = [];
  let sequence: string | undefined;
  for (let index = 0; index < count; index++) {
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
