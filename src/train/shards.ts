/**
 * A step in equal parts of its batch. The parts' gradients are added in the parts' order, whoever computed them: one worker
 * and eight give the same bits. A part needs a part of the memory.
 */
import { bug, CompileError } from "../error.ts";
import { elementCount, type Graph, type Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { createSession } from "../run/ort.ts";
import { openCrew } from "../run/pool.ts";
import { firstNotFinite } from "./diagnose.ts";
import { addDivided } from "./kernels/load.ts";
import { arraysIn, type Place, type Room, sizeOf } from "./memory.ts";
import type { ShardItem, ShardSetUp } from "./shard-worker.ts";
import {
  openStep,
  placesOf,
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
  const sums = new Map(options.parameters.map((name, index) => [name, arrayFor(plan.gradients[index])]));
  return {
    graph: plan.graph,
    async run(batch, weights) {
      const results = parts.run(shardsOf(batch, plan.graph, shards), weights);
      return meanOf(results, { count: shards, lasting: parts.lasting, sums }, weights);
    },
    async firstNotFinite(batch, weights) {
      for (const part of shardsOf(batch, plan.graph, shards)) {
        const found = await firstNotFinite(plan.graph, plan.feeds(part, weights));
        if (found !== undefined) return found;
      }
      return undefined;
    },
    release: parts.release,
  };
}

type Batch = ReadonlyMap<string, Tensor>;

interface Parts {
  /** The parts' results, in order. */
  run(batches: readonly Batch[], weights: Weights): AsyncIterable<StepResult>;
  /** Does a result's gradients stay when the next is there? */
  readonly lasting: boolean;
  release(): Promise<void>;
}

async function alone(plan: StepPlan, options: StepOptions): Promise<Parts> {
  const session = await createSession(plan.model(), { threads: options.threads ?? 1, memoryPattern: false });
  const places = plan.gradients;
  const into = arraysIn({ memory: new ArrayBuffer(4 * sizeOf(places)), places });
  return {
    lasting: false,
    async *run(batches, weights) {
      for (const batch of batches) {
        yield plan.result(await session.run(plan.feeds(batch, weights), undefined, into));
      }
    },
    release: () => session.release(),
  };
}

/**
 * Weights and gradients lie in memory that all workers see: weights are written once a step, while no worker runs, and every
 * part has a place for its gradients.
 */
function together(plan: StepPlan, options: ShardOptions, workers: number): Parts {
  const carried = [...options.parameters, ...(options.statistics ?? []).map(({ name }) => name)];
  const inputs = new Set(plan.graph.inputs);
  const weightPlaces = placesOf(
    plan.graph,
    carried.filter((name) => inputs.has(name)),
  );
  const shared = (places: readonly Place[], parts: number): Room => {
    return { places, memory: new SharedArrayBuffer(4 * parts * sizeOf(places)) };
  };
  const [seen, results] = [shared(weightPlaces, 1), shared(plan.gradients, options.shards)];
  const crew = openCrew<ShardSetUp, ShardItem, Map<string, Tensor>>(
    workers,
    new URL(import.meta.url.endsWith(".ts") ? "./shard-worker.ts" : "./shard-worker.js", import.meta.url),
    { model: plan.model(), threads: options.threads ?? 1, weights: seen, gradients: results },
  );
  const written = arraysIn(seen);
  const parts = Array.from({ length: options.shards }, (_, index) => gradientsIn(results, index));
  return {
    lasting: true,
    async *run(batches, weights) {
      for (const [name, array] of written) {
        array.set(valuesOf(weights.get(name) ?? bug(`there is no weight "${name}"`)) as Float32Array);
      }
      const running = batches.map((batch, index) => {
        return crew.run({ index, batch: new Map([...batch].filter(([name]) => inputs.has(name))) });
      });
      // All are waited for before anything is thrown: the weights must not change under a worker.
      await Promise.allSettled(running);
      for (const [index, beside] of running.entries()) yield plan.result(new Map([...(await beside), ...parts[index]]));
    },
    release: () => crew.close(),
  };
}

function gradientsIn(room: Room, part: number): [string, Tensor][] {
  const arrays = arraysIn(room, part);
  return room.places.map(({ name, shape }) => {
    return [name, { dtype: "float32", shape, data: arrays.get(name) ?? bug(`no room for "${name}"`) }];
  });
}

/** The batch's parts, of what the graph reads: each input is cut along the axis in which it is `shards` times as long as the graph's. */
export function shardsOf(batch: Batch, graph: Graph, shards: number): Map<string, Tensor>[] {
  const parts = Array.from({ length: shards }, () => new Map<string, Tensor>());
  for (const [name, tensor] of batch) {
    if (!graph.inputs.includes(name)) continue;
    const [{ shape }] = placesOf(graph, [name]);
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

/** Means of the `count` parts, the gradients' in `sums`: sums in the parts' order, divided. Statistics keep the weights' types. */
async function meanOf(
  results: AsyncIterable<StepResult>,
  { count, lasting, sums }: { count: number; lasting: boolean; sums: ReadonlyMap<string, Float32Array> },
  weights: Weights,
): Promise<StepResult> {
  let [loss, at] = [0, 0];
  let first: StepResult["gradients"] | undefined;
  const statistics = new Map<string, Float32Array>();
  for await (const result of results) {
    at++;
    loss += result.loss;
    for (const [name, tensor] of result.statistics) {
      const values = valuesOf(tensor) as Float32Array;
      if (!statistics.has(name)) statistics.set(name, new Float32Array(values.length));
      add(statistics.get(name) as Float32Array, values, at, count);
    }
    if (lasting) first ??= result.gradients;
    for (const [name, sum] of sums) {
      add(sum, result.gradients.get(name) ?? bug(`no gradient of "${name}"`), at, count, first?.get(name));
    }
  }
  const renewed = [...statistics].map(([name, data]): [string, Tensor] => {
    return [name, { ...(weights.get(name) ?? bug(`there is no statistic "${name}"`)), data }];
  });
  return { loss: loss / count, gradients: sums, statistics: new Map(renewed), kept: new Map() };
}

/**
 * Adds what part `at` of `count` has, counted from 1, to a sum that becomes the mean with the last of them. The first part is the
 * sum itself, until there is a second, where `first` has it still.
 */
function add(sum: Float32Array, values: Float32Array, at: number, count: number, first?: Float32Array): void {
  if (at > 1) addDivided(at === 2 ? (first ?? sum) : sum, values, at < count ? 1 : count, sum);
  else if (first === undefined) sum.set(values);
}

function arrayFor({ shape }: Place): Float32Array {
  return new Float32Array(elementCount(shape));
}
