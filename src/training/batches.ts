/** What a step is fed: samples of the data, put beside each other and augmented, as functions of the step's number. */
import type { DataArray, Dataset, Sample } from "../data/dataset.ts";
import { CompileError } from "../error.ts";
import type { Tensor } from "../ir/graph.ts";
import { seededRandom } from "../ir/random.ts";
import { int64 } from "../ir/tensor.ts";
import { batchAt } from "../train/schedule.ts";
import { type Augmentation, augmentInput } from "./augment.ts";

export interface BatchOptions {
  readonly dataset: Dataset;
  readonly batch: number;
  readonly seed: number;
  readonly augment?: Augmentation | undefined;
  /** The name and shape under which the targets are fed, if they are. */
  readonly labels?: { readonly name: string; readonly shape: readonly number[] } | undefined;
}

/** Inputs of `batch` samples along the first axis, and their labels. Throws usage/data-shape and usage/metric-target. */
export async function batchOf(options: BatchOptions, step: number): Promise<Map<string, Tensor>> {
  const { dataset, batch, seed, augment, labels } = options;
  const { indices } = batchAt({ samples: dataset.length, batch, seed }, step);
  const samples: Sample[] = [];
  for (const index of indices) samples.push(await dataset.read(index));
  const feeds = new Map<string, Tensor>();
  for (const name of samples[0].inputs.keys()) feeds.set(name, stacked(samples, name));
  if (labels) feeds.set(labels.name, labelsOf(samples, labels.shape));
  if (augment) augmentInput(feeds, augment, seededRandom(`${seed}/augment ${step}`));
  return feeds;
}

function stacked(samples: readonly Sample[], name: string): Tensor {
  const arrays = samples.map((sample) => {
    const array = sample.inputs.get(name);
    const { dtype, shape } = samples[0].inputs.get(name) as DataArray;
    if (array?.dtype === dtype && array.shape.join() === shape.join() && shape[0] === 1) return array;
    throw new CompileError("usage/data-shape", "samples of a batch must have one type and one shape, batch axis 1", {
      where: `sample ${sample.id}, ${name}`,
    });
  });
  const [{ dtype, shape, data }] = arrays;
  const Kind = data.constructor as new (length: number) => typeof data;
  const whole = new Kind(data.length * arrays.length);
  for (const [index, array] of arrays.entries())
    (whole as Float32Array).set(array.data as Float32Array, index * data.length);
  return { dtype, shape: [samples.length, ...shape.slice(1)], data: whole };
}

function labelsOf(samples: readonly Sample[], shape: readonly number[]): Tensor {
  const labels = samples.flatMap(({ id, target }) => {
    if (target !== undefined && typeof target !== "string") return Array.from(target.data as ArrayLike<number>, Number);
    throw new CompileError("usage/metric-target", "the loss by labels wants numeric targets", {
      where: `sample ${id}`,
    });
  });
  if (labels.some((label) => !(label >= 0))) {
    throw new CompileError("usage/metric-target", "a label is below 0: every one is learnt from, none is left out", {
      where: "data.training",
    });
  }
  const wanted = shape.reduce((product, size) => product * size, 1);
  if (labels.length !== wanted) {
    throw new CompileError("usage/metric-target", `a batch has ${labels.length} labels, but ${wanted} rows of scores`, {
      where: "data.training",
    });
  }
  return int64(shape, labels);
}
