/**
 * A step in equal parts of its batch. The parts' gradients are added in the parts' order, whoever computed them: one worker
 * and eight give the same bits. A part needs a part of the memory.
 */
import { bug, CompileError } from "../error.ts";
import { elementCount, type Graph, type Tensor } from "../ir/graph.ts";
import { free, valuesOf } from "../ir/tensor.ts";
import { createSession } from "../run/ort.ts";
import { firstNotFinite } from "./diagnose.ts";
import { addAll } from "./kernels/load.ts";
import { arraysIn, sizeOf } from "./memory.ts";
import { lengthOf, makeOptimizer } from "./optimizer.ts";
import {
  byParameter,
  openStep,
  type PartResult,
  placesOf,
  planStep,
  type StepOptions,
  type StepPlan,
  type TrainingStep,
  type Weights,
} from "./step.ts";
import { type Batch, fitsTogether, type Parts, together } from "./together.ts";

export interface ShardOptions extends Omit<StepOptions, "keep"> {
  /** Parts of a batch. The graph is that of one part. */
  readonly shards: number;
  /**
   * Threads that compute parts at the same time, each with a session of its own; 1 unless said, or where weights, gradients
   * and state are more than the 4 GiB that WebAssembly can address.
   */
  readonly workers?: number;
  /** With fewer parameters only gradients are computed on threads, and the rest where the step is run; 2¹⁹ unless said. */
  readonly shareFrom?: number;
}

/**
 * The step for batches `shards` times as large as the graph's. The loss and the running statistics are the means of the
 * parts'; normalizations take the moments of a part. Throws usage/data-shape for a batch that is not so large.
 */
export async function openShards(graph: Graph, options: ShardOptions): Promise<TrainingStep> {
  const { shards, workers = 1 } = options;
  if (shards === 1) return openStep(graph, options);
  const plan = await planStep(graph, options);
  const parts =
    workers > 1 && fitsTogether(plan, options)
      ? together(plan, options, Math.min(workers, shards))
      : await alone(plan, options);
  return {
    graph: plan.graph,
    async run(batch, weights) {
      const cut = shardsOf(batch, plan.graph, shards);
      const { results, norm } = await parts.run(cut, weights);
      for (const part of cut) for (const [name, each] of part) if (each !== batch.get(name)) free(valuesOf(each));
      return { ...meanOf(results, weights), gradients: parts.gradients, norm };
    },
    async firstNotFinite(batch, weights) {
      for (const part of shardsOf(batch, plan.graph, shards)) {
        const found = await firstNotFinite(plan.graph, plan.feeds(part, weights));
        if (found !== undefined) return found;
      }
      return undefined;
    },
    optimizer: parts.optimizer,
    release: parts.release,
  };
}

/** A part after the other on this thread. The sum of the gradients grows with each. */
async function alone(plan: StepPlan, { parameters, threads = 1 }: StepOptions): Promise<Parts> {
  const session = await createSession(plan.model(), { threads, memoryPattern: false });
  const places = plan.gradients;
  const room = (): Map<string, Float32Array> => arraysIn({ memory: new ArrayBuffer(4 * sizeOf(places)), places });
  const [sums, next] = [room(), room()];
  return {
    gradients: byParameter(parameters, sums),
    async run(batches, weights) {
      const results: PartResult[] = [];
      let squares: number[] = [];
      for (const [index, batch] of batches.entries()) {
        const into = index === 0 ? sums : next;
        results.push(plan.result(await session.run(plan.feeds(batch, weights), undefined, into)));
        if (index === 0) continue;
        const divisor = index < batches.length - 1 ? 1 : batches.length;
        squares = places.map(({ name }) => addAll([arrayOf(sums, name), arrayOf(next, name)], divisor));
      }
      return { results, norm: lengthOf(squares) };
    },
    optimizer: makeOptimizer,
    release: () => session.release(),
  };
}

function arrayOf(arrays: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  return arrays.get(name) ?? bug(`no room for "${name}"`);
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

/** The means of the parts' losses and statistics, which keep the weights' types. */
function meanOf(results: readonly PartResult[], weights: Weights): PartResult {
  const statistics = new Map<string, Tensor>();
  for (const name of results[0].statistics.keys()) {
    const weight = weights.get(name) ?? bug(`there is no statistic "${name}"`);
    const values = results.map((each) => valuesOf(each.statistics.get(name) ?? bug(`no "${name}"`)) as Float32Array);
    addAll(values, values.length);
    statistics.set(name, { ...weight, data: values[0] });
  }
  const loss = results.reduce((sum, each) => sum + each.loss, 0) / results.length;
  return { loss, statistics, kept: new Map() };
}
