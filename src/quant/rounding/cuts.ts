import { byteSize, type Graph, isStatic, makeGraph, type Node, type Tensor, typeOf } from "../../ir/graph.ts";
import { readsOf } from "../../ir/uses.ts";
import { encodeModel } from "../../onnx/write.ts";
import type { Samples } from "../../pass.ts";
import { createSession } from "../../run/ort.ts";
import { chosen } from "../calibrate.ts";
import type { Algebra } from "./algebra.ts";
import { type LayerStatistics, openSum } from "./gram.ts";
import { type Layer, readingOf } from "./layers.ts";
import { chosenVectors, vectorsOfSample } from "./replay.ts";

/** Bytes of values that may wait between two layers, of all samples. */
const BUDGET = 2 ** 28;
/** So many samples, kept, are better than more of them that run once for every share of the layers. */
const LEAST_SAMPLES = 32;

type Values = Map<string, Tensor>;

/** Every value that a node at `from` or later reads and that exists before it. */
function liveAt(graph: Graph, from: number, end: number): Set<string> {
  const made = new Set(graph.inputs);
  for (const node of graph.nodes.slice(0, from)) for (const name of node.outputs) if (name !== "") made.add(name);
  const live = new Set<string>();
  for (const node of graph.nodes.slice(from, end)) for (const name of readsOf(node)) if (made.has(name)) live.add(name);
  return live;
}

/** The place of each layer's node; undefined where a layer has several, or the samples feed states. */
function placesOf(graph: Graph, layers: readonly Layer[]): number[] | undefined {
  if (graph.states.length > 0 || layers.some(({ nodes }) => nodes.length !== 1)) return undefined;
  const places = layers.map(({ nodes }) => graph.nodes.indexOf(nodes[0]));
  return places.every((place, index) => place >= 0 && (index === 0 || place > places[index - 1])) ? places : undefined;
}

/** Bytes that the values of one sample take at the worst cut; undefined where a size is not known. */
function widest(graph: Graph, places: readonly number[]): number | undefined {
  let most = 0;
  for (const place of places) {
    let bytes = 0;
    for (const name of liveAt(graph, place, places[places.length - 1] + 1)) {
      const type = typeOf(graph, name);
      if (!type || !isStatic(type.shape) || type.container || type.dtype === "string" || type.quant) return undefined;
      bytes += byteSize(type.dtype, type.shape);
    }
    most = Math.max(most, bytes);
  }
  return most;
}

/** Layer by layer through the network: statistics of each layer's inputs, all layers before it rounded. */
export interface Cuts {
  /** `current` is the graph with all layers before `index` rounded; calls go from the first layer to the last. */
  statistics(index: number, current: Graph): Promise<LayerStatistics>;
}

/**
 * Keeps every sample's values where the next layer begins, in the float model and in the rounded one, and takes both from layer
 * to layer: each node runs once a sample, however many layers there are. Undefined where these values are too many to keep, or
 * not known beforehand.
 */
export async function openCuts(
  graph: Graph,
  layers: readonly Layer[],
  samples: Samples,
  limit: number,
  vectors: number,
  algebra: Algebra,
): Promise<Cuts | undefined> {
  const places = placesOf(graph, layers);
  const bytes = places && widest(graph, places);
  if (!places || bytes === undefined) return undefined;
  const count = Math.min(limit, samples.size, Math.floor(BUDGET / (2 * bytes)));
  if (count < Math.min(limit, samples.size, LEAST_SAMPLES)) return undefined;
  const end = places[places.length - 1] + 1;
  const floats: Values[] = [];
  for (const index of chosen(samples, count)) {
    const feeds = await samples.feeds(index);
    floats.push(new Map([...feeds].filter(([name]) => graph.inputs.includes(name))));
  }
  // One map for both models until the first layer is rounded.
  let rounded = floats;
  let at = 0;
  return {
    async statistics(index, current) {
      const place = places[index];
      const twice = current !== graph;
      const sources = twice ? [graph, current] : [graph];
      if (twice && rounded === floats) rounded = floats.map((values) => new Map(values));
      for (const [which, source] of sources.entries()) {
        await advance(source, at, place, end, which === 0 ? floats : rounded);
      }
      at = place;
      const reading = readingOf(graph, layers[index], layers[index].nodes[0]);
      const taken = vectorsOfSample(reading.depth, count, vectors);
      const sum = openSum(reading, twice);
      for (const [sample, values] of floats.entries()) {
        const exact = values.get(reading.value)?.data as Float32Array;
        const met = rounded[sample].get(reading.value)?.data as Float32Array;
        await sum.add(reading, chosenVectors(reading.count, taken, sample), met, exact, algebra);
      }
      return sum.end(algebra);
    },
  };
}

/** Takes every sample's values from one place to the next, and forgets those that nothing reads any more. */
async function advance(graph: Graph, from: number, to: number, end: number, all: readonly Values[]): Promise<void> {
  const nodes: readonly Node[] = graph.nodes.slice(from, to);
  const live = liveAt(graph, to, end);
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const outputs = [...live].filter((name) => made.has(name));
  const read = new Set(nodes.flatMap(readsOf));
  const inputs = [...(all[0]?.keys() ?? [])].filter((name) => read.has(name));
  const constants = new Map([...graph.constants].filter(([name]) => read.has(name)));
  const part = makeGraph({ inputs, outputs, nodes, constants, types: graph.types, opsets: graph.opsets });
  const session = outputs.length > 0 ? await createSession(encodeModel(part)) : undefined;
  try {
    for (const values of all) {
      const feeds = new Map([...values].filter(([name]) => read.has(name)));
      const found = (await session?.run(feeds)) ?? new Map<string, Tensor>();
      for (const name of [...values.keys()]) if (!live.has(name)) values.delete(name);
      for (const [name, tensor] of found) values.set(name, tensor);
    }
  } finally {
    await session?.release();
  }
}
