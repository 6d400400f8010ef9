/** What a step is fed: samples of the data, put beside each other and augmented, as functions of the step's number. */
import type { DataArray, Dataset, Sample } from "../data/dataset.ts";
import { normal } from "../data/random.ts";
import { CompileError } from "../error.ts";
import type { Tensor } from "../ir/graph.ts";
import { seededRandom } from "../ir/random.ts";
import { int64 } from "../ir/tensor.ts";
import { batchAt } from "../train/schedule.ts";

export interface Augmentation {
  readonly input?: string | undefined;
  readonly crop: number;
  readonly flip: boolean;
  readonly noise: number;
}

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

function augmentInput(feeds: Map<string, Tensor>, augment: Augmentation, random: () => number): void {
  const name = augment.input ?? [...feeds.keys()][0];
  const tensor = feeds.get(name);
  if (tensor?.dtype !== "float32" || ((augment.crop > 0 || augment.flip) && tensor.shape.length !== 4)) {
    throw new CompileError("usage/recipe", `augment: "${name}" is no float32 input [samples, channels, rows, columns]`);
  }
  const values = (tensor.data as Float32Array).slice();
  const [samples, channels, rows, columns] = tensor.shape;
  const moved = (augment.crop > 0 || augment.flip) && values.length > 0;
  for (let sample = 0; moved && sample < samples; sample++) {
    const down = Math.floor(random() * (2 * augment.crop + 1)) - augment.crop;
    const right = Math.floor(random() * (2 * augment.crop + 1)) - augment.crop;
    const mirrored = augment.flip && random() < 0.5;
    for (let plane = sample * channels; plane < (sample + 1) * channels; plane++) {
      const from = (tensor.data as Float32Array).subarray(plane * rows * columns, (plane + 1) * rows * columns);
      const to = values.subarray(plane * rows * columns, (plane + 1) * rows * columns);
      movePlane(from, to, columns, { down, right, mirrored });
    }
  }
  if (augment.noise > 0) for (let at = 0; at < values.length; at++) values[at] += augment.noise * normal(random);
  feeds.set(name, { ...tensor, data: values });
}

interface Move {
  readonly down: number;
  readonly right: number;
  readonly mirrored: boolean;
}

function movePlane(from: Float32Array, to: Float32Array, columns: number, { down, right, mirrored }: Move): void {
  const rows = from.length / columns;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [y, x] = [row - down, (mirrored ? columns - 1 - column : column) - right];
      const inside = y >= 0 && y < rows && x >= 0 && x < columns;
      to[row * columns + column] = inside ? from[y * columns + x] : 0;
    }
  }
}
