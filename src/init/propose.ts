/** What a first recipe should say, as far as the model's file and the data tell it. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { openTeacher } from "../certify/teacher.ts";
import { type DataArray, type DataSpec, openDataset, type Sample } from "../data/dataset.ts";
import { checkInputs, fitSample } from "../data/fit.ts";
import { CompileError } from "../error.ts";
import { rowsOf } from "../evidence/metric.ts";
import { isStatic, type Tensor, type Type } from "../ir/graph.ts";
import { readModel } from "../onnx/read.ts";

export interface Proposal {
  readonly model: string;
  /** Of inputs that the model leaves open: every size, the batch first. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The data, without the split. */
  readonly data: DataSpec;
  readonly samples: { readonly calibration: number; readonly selection: number; readonly certification: number };
  readonly metric: string;
  /** Why this metric. */
  readonly because: string;
}

interface Port {
  readonly name: string;
  readonly type: Type;
}

/** @param model path of the ONNX file; @param data path of an npz, jsonl or IDX file, or of a folder of pictures. */
export async function propose(model: string, data: string, wanted: { metric?: string }): Promise<Proposal> {
  const graph = readModel(model);
  const ports = (names: readonly string[]): Port[] =>
    names.map((name) => ({ name, type: graph.types.get(name) ?? { dtype: "float32" } }));
  const inputs = ports(graph.inputs);
  const spec = specOf(data, inputs);
  const { sample, shapesInData } = await lookAt(spec);
  const shapes = shapesOf(inputs, shapesInData);
  const fitting = new Map(
    inputs.map(({ name, type }) => [name, { dtype: type.dtype, shape: shapes.get(name) ?? (type.shape as number[]) }]),
  );
  const samples = await countSplits(spec, fitting);
  const { metric, because } = wanted.metric
    ? { metric: wanted.metric, because: "as asked for" }
    : metricOf(sample, await answerOf(model, shapes, fitSample(sample, fitting)));
  return { model, shapes, data: spec, samples, metric, because };
}

function unknownData(path: string, message: string, remedy: string): CompileError {
  return new CompileError("usage/init-data", message, { where: path, remedy });
}

const PICTURE = /\.(png|jpe?g|webp)$/i;

function specOf(path: string, inputs: readonly Port[]): DataSpec {
  if (!existsSync(path)) {
    throw unknownData(path, "the data does not exist", "give an npz, jsonl or IDX file, or a folder of pictures");
  }
  if (statSync(path).isDirectory()) return specOfFolder(path, inputs);
  const extension = extname(path);
  if (extension === ".npz") return { npz: path };
  if (extension === ".jsonl" || extension === ".ndjson") {
    return {
      reader: "jsonl",
      path,
      inputs: Object.fromEntries(
        inputs.map(({ name, type }) => [name, { dtype: type.dtype, shape: batchOfOne(name, type) }]),
      ),
    };
  }
  if (/-ubyte(\.gz)?$/.test(path)) return specOfIdx(path);
  throw unknownData(path, "this kind of data is not known", "give an npz, jsonl or IDX file, or a folder of pictures");
}

function specOfFolder(path: string, inputs: readonly Port[]): DataSpec {
  const files = readdirSync(path, { recursive: true, encoding: "utf8" });
  const archives = files.filter((name) => /\.(npz|jsonl)$/.test(name));
  if (archives.length === 1) return specOf(join(path, archives[0]), inputs);
  if (!files.some((name) => PICTURE.test(name))) {
    throw unknownData(path, "the folder holds no pictures", "give the file itself, or a folder of PNG, JPEG or WebP");
  }
  for (const channels of [3, 1]) {
    for (const layout of ["nchw", "nhwc"] as const) {
      const [axis, ...sizes] = layout === "nchw" ? [1, 2, 3] : [3, 1, 2];
      const input = inputs.find(({ type }) => type.shape?.length === 4 && type.shape[axis] === channels);
      if (input === undefined) continue;
      const [height, width] = sizes.map((size) => sizeOr(input.type.shape?.[size], PIXELS));
      const grey = channels === 1;
      const [mean, deviation] = grey ? [[0], [1]] : IMAGENET;
      const order = grey ? "grey" : "rgb";
      return { reader: "images", folder: path, input: input.name, width, height, layout, order, mean, deviation };
    }
  }
  throw unknownData(path, "the model has no input for pictures of one or three channels", "save the inputs as an npz");
}

/** Mean and deviation of each colour: what most models of pictures were trained with. */
const IMAGENET = [
  [0.485, 0.456, 0.406],
  [0.229, 0.224, 0.225],
] as const;

/** What most classifiers of pictures take. */
const PIXELS = 224;
const sizeOr = (dim: number | string | undefined, fallback: number): number =>
  typeof dim === "number" ? dim : fallback;

function specOfIdx(path: string): DataSpec {
  const labels = join(dirname(path), basename(path).replace("images-idx3", "labels-idx1"));
  return { reader: "idx", images: path, ...(labels !== path && existsSync(labels) && { labels }) };
}

/** The batch is one; anything else that the model leaves open must be told. */
function batchOfOne(name: string, { shape }: Type): number[] {
  const sizes = shape?.map((dim, axis) => (typeof dim === "number" ? dim : axis === 0 ? 1 : 0)) ?? [0];
  if (!sizes.includes(0)) return sizes;
  throw unknownData(name, `the model leaves the size of "${name}" open, and jsonl does not tell it`, "save it as npz");
}

async function lookAt(spec: DataSpec): Promise<{ sample: Sample; shapesInData: Map<string, readonly number[]> }> {
  const dataset = await openDataset(spec, process.cwd());
  try {
    const shapesInData = new Map(dataset.describe().inputs.map(({ name, shape }) => [name, shape]));
    return { sample: await dataset.read(0), shapesInData };
  } finally {
    dataset.close();
  }
}

function shapesOf(
  inputs: readonly Port[],
  inData: ReadonlyMap<string, readonly number[]>,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const { name, type } of inputs) {
    if (isStatic(type.shape)) continue;
    const found = inData.get(name);
    if (found === undefined) {
      throw unknownData(
        name,
        `the data has nothing for the model's input "${name}"`,
        `it has ${[...inData.keys()].join(", ")}; save each array under its input's name, and the answers as \`target\``,
      );
    }
    const rank = type.shape?.length ?? found.length;
    // Data of [samples] or without the batch axis is fitted by the reader.
    shapes.set(name, found.length < rank ? [...new Array<number>(rank - found.length).fill(1), ...found] : found);
  }
  return shapes;
}

async function countSplits(
  spec: DataSpec,
  wanted: ReadonlyMap<string, { dtype: string; shape: readonly number[] }>,
): Promise<Proposal["samples"]> {
  const counts = { calibration: 0, selection: 0, certification: 0 };
  for (const split of Object.keys(counts) as (keyof typeof counts)[]) {
    try {
      const dataset = await openDataset({ ...spec, split }, process.cwd());
      counts[split] = dataset.length;
      checkInputs(dataset, wanted, split);
      dataset.close();
    } catch (error) {
      if (!(error instanceof CompileError) || error.code !== "usage/empty-data") throw error;
      throw unknownData(
        JSON.stringify(spec),
        `there are too few sources of data for disjoint splits: none is left for ${split}`,
        "give more samples, or samples of more groups",
      );
    }
  }
  return counts;
}

/** The teacher's first output on one sample. Throws what ONNX Runtime has against the model. */
async function answerOf(
  model: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  feeds: ReadonlyMap<string, DataArray>,
): Promise<DataArray | undefined> {
  const bindings = Object.fromEntries([...shapes].map(([name, shape]) => [name, { shape: [...shape] }]));
  const teacher = await openTeacher(model, bindings);
  try {
    const outputs = await teacher.step(feeds as ReadonlyMap<string, Tensor>);
    return [...outputs.values()][0] as DataArray | undefined;
  } finally {
    await teacher.release();
  }
}

function metricOf({ target }: Sample, answer: DataArray | undefined): { metric: string; because: string } {
  if (target === undefined)
    return { metric: "agreement", because: "the data has no `target`: answers are compared with the teacher's" };
  if (typeof target === "string") {
    return { metric: "agreement", because: "targets are text; for readers of text say {name: cer, dictionary: FILE}" };
  }
  if (target.dtype.startsWith("float")) return { metric: "agreement", because: "targets are no class numbers" };
  const { count, width } = rowsOf(answer ?? target);
  const found = target.data.length;
  if (width === 1 && count === found) return { metric: "auc", because: "one output, and a class for every sample" };
  if (count !== found || width === 1) {
    const because = `the model gives ${count} answers for a sample, and the data ${found} targets: answers are compared with the teacher's`;
    return { metric: "agreement", because };
  }
  return { metric: "accuracy", because: `a class of ${width} for every ${count === 1 ? "sample" : "answer"}` };
}
