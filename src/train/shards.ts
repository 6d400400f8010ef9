/**
 * A step in equal parts of its batch. The parts' gradients are added in the parts' order, whoever computed them: one worker
 * and eight give the same bits. A part needs a part of the memory.
 */
import { bug, CompileError } from "../error.ts";
import { elementCount, type Graph, isStatic, type Tensor, typeOf } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { createSession } from "../run/ort.ts";
import { openCrew } from "../run/pool.ts";
import { firstNotFinite } from "./diagnose.ts";
import type { ShardItem, ShardSetUp } from "./shard-worker.ts";
import {
  openStep,
  planStep,
  type StepOptions,
  type StepPlan,
  type StepResult,
  type TrainingStep,
  type Weights,
} from "./step.ts";

export interface ShardOptions extends Omit<StepOptions, "keep"> {
  /** Parts of a batch. The graph is that of one part. */
  readonly shards: number;
  /** Threads that compute parts at the same time, each with a session of its own; 1 unless said. */
  readonly workers?: number;
}

/**
 * The step for batches `shards` times as large as the graph's. The loss and the running statistics are the means of the
 * parts'; normalizations take the moments of a part. Throws usage/data-shape for a batch that is not so large.
 */
export async function openShards(graph: Graph, options: ShardOptions): Promise<TrainingStep> {
  const { shards, workers = 1 } = options;
  if (shards === 1) return openStep(graph, options);
  const plan = await planStep(graph, options);
  const parts = workers === 1 ? await alone(plan, options) : together(plan, options, Math.min(workers, shards));
  return {
    graph: parts.graph,
    async run(batch, weights) {
      return meanOf(parts.run(shardsOf(batch, parts.graph, shards), weights), weights);
    },
    async firstNotFinite(batch, weights) {
      for (const part of shardsOf(batch, parts.graph, shards)) {
        const found = await firstNotFinite(parts.graph, parts.feeds(part, weights));
        if (found !== undefined) return found;
      }
      return undefined;
    },
    release: parts.release,
  };
}

type Batch = ReadonlyMap<string, Tensor>;

interface Parts {
  readonly graph: Graph;
  feeds(batch: Batch, weights: Weights): Map<string, Tensor>;
  /** The parts' results, in order. */
  run(batches: readonly Batch[], weights: Weights): AsyncIterable<StepResult>;
  release(): Promise<void>;
}

async function alone(plan: StepPlan, options: StepOptions): Promise<Parts> {
  const session = await createSession(plan.model(), { threads: options.threads ?? 1, memoryPattern: false });
  return {
    graph: plan.graph,
    feeds: plan.feeds,
    async *run(batches, weights) {
      for (const batch of batches) yield plan.result(await session.run(plan.feeds(batch, weights)));
    },
    release: () => session.release(),
  };
}

/** Weights lie in memory that all workers see: they are written once a step, while no worker runs. */
function together(plan: StepPlan, options: StepOptions, workers: number): Parts {
  const carried = [...options.parameters, ...(options.statistics ?? []).map(({ name }) => name)];
  const shapes = carried
    .filter((name) => plan.graph.inputs.includes(name))
    .map((name) => ({ name, shape: staticShape(plan.graph, name) }));
  const memory = new SharedArrayBuffer(4 * shapes.reduce((sum, { shape }) => sum + elementCount(shape), 0));
  const all = new Float32Array(memory);
  const setUp: ShardSetUp = { model: plan.model(), threads: options.threads ?? 1, memory, shapes };
  const crew = openCrew<ShardSetUp, ShardItem, Map<string, Tensor>>(
    workers,
    new URL(import.meta.url.endsWith(".ts") ? "./shard-worker.ts" : "./shard-worker.js", import.meta.url),
    setUp,
  );
  const wanted = new Set(plan.graph.inputs);
  return {
    graph: plan.graph,
    feeds: plan.feeds,
    async *run(batches, weights) {
      let at = 0;
      for (const { name } of shapes) {
        const values = valuesOf(weights.get(name) ?? bug(`there is no weight "${name}"`)) as Float32Array;
        all.set(values, at);
        at += values.length;
      }
      const results = batches.map((batch) => crew.run(new Map([...batch].filter(([name]) => wanted.has(name)))));
      // All are waited for before anything is thrown: the weights must not change under a worker.
      await Promise.allSettled(results);
      for (const result of results) yield plan.result(await result);
    },
    release: () => crew.close(),
  };
}

function staticShape(graph: Graph, name: string): readonly number[] {
  const shape = typeOf(graph, name)?.shape;
  return isStatic(shape) ? shape : bug(`the shape of "${name}" is not known`);
}

/** The batch's parts, of what the graph reads: each input is cut along the axis in which it is `shards` times as long as the graph's. */
export function shardsOf(batch: Batch, graph: Graph, shards: number): Map<string, Tensor>[] {
  const parts = Array.from({ length: shards }, () => new Map<string, Tensor>());
  for (const [name, tensor] of batch) {
    if (!graph.inputs.includes(name)) continue;
    const shape = staticShape(graph, name);
    const axis = cutAxis(tensor, shape, shards, name);
    for (const [index, part] of parts.entries()) part.set(name, cut(tensor, shape, axis, index));
  }
  return parts;
}

function cutAxis(tensor: Tensor, shape: readonly number[], shards: number, name: string): number {
  const axis = shape.findIndex((size, at) => size !== tensor.shape[at]);
  const whole = shape.map((size, at) => (at === axis ? size * shards : size));
  if (whole.join() === tensor.shape.join()) return axis;
  throw new CompileError("usage/data-shape", `${shards} parts of [${shape}] do not make [${tensor.shape}]`, {
    where: name,
  });
}

/** Part `index` along an axis; all of it where there is no axis to cut. */
function cut(tensor: Tensor, shape: readonly number[], axis: number, index: number): Tensor {
  if (axis < 0) return tensor;
  const values = valuesOf(tensor) as Float32Array;
  const run = elementCount(shape.slice(axis));
  const stride = elementCount(tensor.shape.slice(axis));
  const lines = elementCount(shape.slice(0, axis));
  if (lines === 1) return { ...tensor, shape, data: values.slice(index * run, (index + 1) * run) };
  const data = new (values.constructor as Float32ArrayConstructor)(lines * run);
  for (let line = 0; line < lines; line++) {
    const start = line * stride + index * run;
    data.set(values.subarray(start, start + run), line * run);
  }
  return { ...tensor, shape, data };
}

/** Sums in the parts' order, divided by their number. Statistics keep the weights' types. */
async function meanOf(results: AsyncIterable<StepResult>, weights: Weights): Promise<StepResult> {
  let [loss, count] = [0, 0];
  const gradients = new Map<string, Float32Array>();
  const statistics = new Map<string, Float32Array>();
  const add = (sums: Map<string, Float32Array>, name: string, values: Float32Array): void => {
    const sum = sums.get(name);
    if (sum === undefined) sums.set(name, values);
    else for (let at = 0; at < sum.length; at++) sum[at] += values[at];
  };
  for await (const result of results) {
    loss += result.loss;
    count++;
    for (const [name, values] of result.gradients) add(gradients, name, values);
    for (const [name, tensor] of result.statistics) add(statistics, name, valuesOf(tensor) as Float32Array);
  }
  for (const values of [...gradients.values(), ...statistics.values()]) {
    for (let at = 0; at < values.length; at++) values[at] /= count;
  }
  const renewed = [...statistics].map(([name, data]): [string, Tensor] => {
    return [name, { ...(weights.get(name) ?? bug(`there is no statistic "${name}"`)), data }];
  });
  return { loss: loss / count, gradients, statistics: new Map(renewed), kept: new Map() };
}
