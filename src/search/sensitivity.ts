/** How much each layer's format, alone in an otherwise float model, takes the answers away from the teacher's. */
import type { Graph } from "../ir/graph.ts";
import { encodeModel } from "../onnx/write.ts";
import { FORMATS } from "../quant/format.ts";
import { withRounded } from "../quant/rounding/isolated.ts";
import { createPool } from "../run/pool.ts";
import { withStored } from "./isolated.ts";
import type { SearchedFormat, SearchSpace } from "./layers.ts";
import { openTrials, type TrialBench, type TrialResult } from "./trial.ts";

/** The same model three times over: float, and what its quantization would make of it. All have the same nodes. */
export interface Quantized {
  readonly graph: Graph;
  /** With weights as they are rounded to so many bits, as reals. */
  readonly weights: Readonly<Record<"int8" | "int4", Graph>>;
  /** With types that say how each value is stored where layers read 8 bits, and where they read 16; of 4 where a recipe has them. */
  readonly values: Readonly<Record<"int8" | "int16", Graph> & Partial<Record<"int4", Graph>>>;
}

export interface Sensitivity {
  /** By layer. */
  readonly weights: readonly Readonly<Record<"int8" | "int4", TrialResult>>[];
  /** By group of values. */
  readonly values: readonly Readonly<Record<"int8" | "int16", TrialResult>>[];
}

export interface SensitivityOptions {
  readonly jobs: number;
  readonly signal?: AbortSignal;
  readonly progress?: (done: number, of: number) => void;
}

/** Of a layer without weights. */
const EXACT: TrialResult = { distance: 0, changed: 0, drop: 0 };

/** One model at a time in each worker; the result does not depend on how many there are. */
export async function sensitivityOf(
  space: SearchSpace,
  quantized: Quantized,
  bench: TrialBench,
  options: SensitivityOptions,
): Promise<Sensitivity> {
  const { layers, groups } = space;
  const { graph, weights, values } = quantized;
  const weighed = layers.filter((layer) => layer.weights !== undefined);
  const trials = [
    ...weighed.flatMap(({ nodes }) => [
      () => withRounded(graph, nodes, weights.int8),
      () => withRounded(graph, nodes, weights.int4),
    ]),
    ...groups.flatMap(({ roots }) => [
      () => withStored(graph, roots, values.int8),
      () => withStored(graph, roots, values.int16),
    ]),
  ];
  const found = await trialsOf(trials, bench, options);
  const ofLayers = 2 * weighed.length;
  const places = new Map(weighed.map((layer, at) => [layer, 2 * at]));
  return {
    weights: layers.map((layer) => {
      const at = places.get(layer);
      return at === undefined ? { int8: EXACT, int4: EXACT } : { int8: found[at], int4: found[at + 1] };
    }),
    values: groups.map((_, at) => ({ int8: found[ofLayers + 2 * at], int16: found[ofLayers + 2 * at + 1] })),
  };
}

/** What models made of the teacher come to, in their order; each is made when its turn has come. */
export async function trialsOf(
  trials: readonly (() => Graph)[],
  bench: TrialBench,
  options: SensitivityOptions,
): Promise<TrialResult[]> {
  const found: TrialResult[] = [];
  for await (const result of results(bench, modelsOf(trials), options)) {
    found.push(result);
    options.progress?.(found.length, trials.length);
  }
  return found;
}

/** Encoded when a worker is about to take it: all at once would be many times the model. */
function* modelsOf(trials: readonly (() => Graph)[]): Generator<Uint8Array> {
  for (const trial of trials) yield encodeModel(trial());
}

async function* results(
  bench: TrialBench,
  models: Iterable<Uint8Array>,
  { jobs, signal }: SensitivityOptions,
): AsyncGenerator<TrialResult> {
  if (jobs > 1) {
    const worker = new URL(`./trial-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    yield* createPool(jobs).map<TrialBench, Uint8Array, TrialResult>(worker, bench, models, signal ? { signal } : {});
    return;
  }
  const run = await openTrials(bench);
  for (const model of models) {
    signal?.throwIfAborted();
    yield await run(model);
  }
}

/** What a layer's format costs: its weights' part and its input's. */
export function distanceIn(
  space: SearchSpace,
  { weights, values }: Sensitivity,
  layer: number,
  format: SearchedFormat,
): number {
  const value = values[space.layers[layer].group][format.endsWith("A16") ? "int16" : "int8"];
  return weights[layer][FORMATS[format].weights].distance + value.distance;
}
