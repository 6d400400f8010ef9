/** The calibration samples as peers read them: arrays of all samples in an npz. */
import { wantedOf } from "../../../src/build/data.ts";
import { type DataArray, type DataSpec, type Dataset, openDataset } from "../../../src/data/dataset.ts";
import { fitSample } from "../../../src/data/fit.ts";
import { encodeNpz } from "../../../src/data/write-npz.ts";
import type { Graph, Tensor, TypedArray } from "../../../src/ir/graph.ts";
import { encodeModel } from "../../../src/onnx/write.ts";
import type { Recipe } from "../../../src/recipe.ts";
import { createSession } from "../../../src/run/ort.ts";

/**
 * Evenly spread over the recipe's calibration split; of streams the first steps, each with the states that the float model was in,
 * since to a peer they are inputs as others are.
 */
export async function calibrationOf(recipe: Recipe, graph: Graph, count: number): Promise<Uint8Array> {
  const dataset = await openDataset(recipe.data.calibration as DataSpec, recipe.folder);
  const size = Math.min(count, dataset.length);
  const columns = new Map<string, DataArray[]>();
  for await (const feeds of graph.states.length > 0 ? steps(dataset, graph, size) : spread(dataset, graph, size)) {
    for (const [name, array] of feeds) {
      const column = columns.get(name);
      if (column) column.push(array);
      else columns.set(name, [array]);
    }
  }
  dataset.close();
  return encodeNpz(new Map([...columns].map(([name, column]) => [name, stacked(column)])));
}

type Feeds = ReadonlyMap<string, DataArray>;

async function* spread(dataset: Dataset, graph: Graph, size: number): AsyncGenerator<Feeds> {
  const wanted = wantedOf(graph);
  for (let index = 0; index < size; index++) {
    yield fitSample(await dataset.read(Math.floor((index * dataset.length) / size)), wanted);
  }
}

async function* steps(dataset: Dataset, graph: Graph, size: number): AsyncGenerator<Feeds> {
  const wanted = wantedOf(graph);
  const starts = new Set(dataset.sequences?.map(({ start }) => start));
  const session = await createSession(encodeModel({ ...graph, states: [] }));
  let states = new Map<string, Tensor>();
  for (let index = 0; index < size; index++) {
    if (index === 0 || starts.has(index)) states = new Map(graph.states.map(({ input, init }) => [input, init]));
    const feeds = new Map([...states, ...(fitSample(await dataset.read(index), wanted) as Map<string, Tensor>)]);
    const outputs = await session.run(feeds);
    for (const { input, output } of graph.states) states.set(input, outputs.get(output) as Tensor);
    yield feeds as Feeds;
  }
  await session.release();
}

/** One after the other along a new first axis. */
function stacked(column: readonly DataArray[]): DataArray {
  const [{ dtype, shape, data }] = column;
  const all = new (data.constructor as new (length: number) => TypedArray)(data.length * column.length);
  for (const [index, each] of column.entries()) all.set(each.data as never, index * data.length);
  return { dtype, shape: [column.length, ...shape], data: all as DataArray["data"] };
}
