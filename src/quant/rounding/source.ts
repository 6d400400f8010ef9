import { CompileError } from "../../error.ts";
import type { Graph } from "../../ir/graph.ts";
import { readsOf } from "../../ir/uses.ts";
import type { Samples } from "../../pass.ts";
import { createPool } from "../../run/pool.ts";
import { tasksOf } from "../calibrate.ts";
import type { ObserveTask } from "../observe.ts";
import type { Algebra } from "./algebra.ts";
import { openCuts } from "./cuts.ts";
import { addStatistics, type GramInit, gramInit, type LayerStatistics, openGrams } from "./gram.ts";
import type { Layer } from "./layers.ts";

export interface SourceOptions {
  /** At most so many samples, and vectors of one sample's input. */
  readonly samples: number;
  readonly vectors: number;
  /**
   * How often the samples may be run where the values between two layers are too many to keep. Each run serves a share of the
   * layers, whose inputs then come from a network in which the layers before that share are rounded.
   */
  readonly stages: number;
  readonly jobs: number;
  readonly signal?: AbortSignal;
}

/** Statistics of layers, in their order. */
export interface Source {
  /** `current` is the graph with all layers before this one rounded. */
  statistics(index: number, current: Graph): Promise<LayerStatistics>;
}

/** Bytes of Gram matrices that one run of the samples may collect in each worker; a layer beyond it has a run to itself. */
const BUDGET = 2 ** 28;

/** The samples as the layers see them. The statistics do not depend on `jobs`. */
export async function openSource(
  graph: Graph,
  layers: readonly Layer[],
  samples: Samples,
  options: SourceOptions,
  algebra: Algebra,
): Promise<Source> {
  if (samples.size === 0) throw new CompileError("usage/no-calibration", "the calibration split is empty");
  const cuts = await openCuts(graph, layers, samples, options.samples, options.vectors, algebra);
  const source = cuts ?? inStages(graph, layers, samples, options);
  return {
    async statistics(index, current) {
      options.signal?.throwIfAborted();
      const found = await source.statistics(index, current);
      requireFinite(layers[index], found);
      return found;
    },
  };
}

function requireFinite({ weights }: Layer, { gram }: LayerStatistics): void {
  if (gram.every(Number.isFinite)) return;
  throw new CompileError("model/not-finite", `the inputs of "${weights}" are not all finite numbers`, {
    where: `weights ${weights}, on the calibration data`,
    remedy: "check the calibration data and the teacher: weights cannot be fitted to such values",
  });
}

function inStages(graph: Graph, layers: readonly Layer[], samples: Samples, options: SourceOptions): Source {
  const starts = stagesOf(layers, options.stages);
  let held: LayerStatistics[] = [];
  let start = 0;
  return {
    async statistics(index, current) {
      if (starts.has(index)) {
        start = index;
        let end = index + 1;
        while (end < layers.length && !starts.has(end)) end++;
        held = await statisticsOf(graph, current, layers.slice(start, end), samples, options);
      }
      return held[index - start];
    },
  };
}

/** Where stages begin: equal shares of the layers, cut further where their Gram matrices would not fit. */
function stagesOf(layers: readonly Layer[], stages: number): Set<number> {
  const most = Math.ceil(layers.length / stages);
  const starts = new Set<number>();
  let [bytes, count] = [0, 0];
  for (const [index, { groups, depth }] of layers.entries()) {
    const own = groups * depth ** 2 * 16;
    if (index === 0 || count >= most || bytes + own > BUDGET) {
      starts.add(index);
      [bytes, count] = [0, 0];
    }
    bytes += own;
    count += 1;
  }
  return starts;
}

async function statisticsOf(
  graph: Graph,
  current: Graph,
  layers: readonly Layer[],
  samples: Samples,
  options: SourceOptions,
): Promise<LayerStatistics[]> {
  const init = gramInit(graph, current, layers, Math.min(options.samples, samples.size), options.vectors);
  const totals: LayerStatistics[] = [];
  for await (const found of collected(init, tasksOf(samples, options.samples), options)) {
    for (const [index, statistics] of found.entries()) totals[index] = addStatistics(totals[index], statistics);
  }
  const behind = layersBehind(graph, layers);
  // What went wrong before the stage is made up for once: by the layers that see it first. Those behind them, which will get
  // inputs that are right again, take what they saw as right.
  return totals.map((found, index) => {
    if (!behind.has(layers[index])) return found;
    const { cross: _, ...rest } = found;
    return { ...rest, floatSum: found.sum };
  });
}

/** Layers that read, directly or not, what another of these makes. */
function layersBehind(graph: Graph, layers: readonly Layer[]): Set<Layer> {
  const byWeights = new Map(layers.map((layer) => [layer.weights, layer]));
  const changed = new Set<string>();
  const behind = new Set<Layer>();
  for (const node of graph.nodes) {
    const follows = readsOf(node).some((name) => changed.has(name));
    const layer = byWeights.get(node.inputs[1] ?? "");
    if (layer && follows) behind.add(layer);
    if (layer || follows) for (const name of node.outputs) changed.add(name);
  }
  return behind;
}

async function* collected(
  init: GramInit,
  tasks: AsyncIterable<ObserveTask>,
  { jobs, signal }: SourceOptions,
): AsyncGenerator<LayerStatistics[]> {
  if (jobs > 1) {
    const worker = new URL(`./gram-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    yield* createPool(jobs).map<GramInit, ObserveTask, LayerStatistics[]>(worker, init, tasks, { signal });
    return;
  }
  const work = await openGrams(init);
  try {
    for await (const task of tasks) {
      signal?.throwIfAborted();
      yield await work.run(task);
    }
  } finally {
    await work.release();
  }
}
