import { fromReals, realsOf, scaleAxis } from "../ir/channels.ts";
import {
  elementCount,
  freshName,
  type Graph,
  isStatic,
  attrs as makeAttrs,
  type Node,
  type Tensor,
  typeOf,
} from "../ir/graph.ts";
import { countUses, namesOf } from "../ir/uses.ts";
import type { Samples } from "../pass.ts";
import { createSession } from "../run/ort.ts";
import { tasksOf } from "./calibrate.ts";
import type { WeightFormat } from "./format.ts";
import { fusionGroups } from "./groups.ts";
import { keepsUnderGain } from "./links.ts";
import { eighthRoot, wholePower } from "./roots.ts";
import type { Algebra } from "./rounding/algebra.ts";
import { type Layer, linearLayers, matrixOf } from "./rounding/layers.ts";
import { type Matrix, realise, roundToGrid, transposed } from "./rounding/matrix.ts";
import { chosenVectors, modelOf, openRun } from "./rounding/replay.ts";
import { searchedGrid } from "./rounding/scales.ts";

/** A value whose last axis only products with constant weights sum over: its channels may be scaled against theirs. */
export interface SmoothLink {
  readonly value: string;
  readonly channels: number;
  /** A norm takes the factors into its scale and shift; behind an accumulator they ride as a gain a channel. */
  readonly producer: Node;
  readonly kind: "norm" | "accumulator";
  readonly readers: readonly Layer[];
}

const NORMS = new Set(["LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization"]);

/** Links of the graph, in execution order. */
export function smoothLinks(graph: Graph): SmoothLink[] {
  const layers = new Map<Node, Layer>();
  for (const layer of linearLayers(graph)) {
    const [node] = layer.nodes;
    if (layer.nodes.length === 1 && node.op !== "ConvTranspose") layers.set(node, layer);
  }
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of new Set(node.inputs)) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const uses = countUses(graph);
  const groups = fusionGroups(graph);
  const links: SmoothLink[] = [];
  for (const node of graph.nodes) {
    const kind = NORMS.has(node.op) && foldable(graph, node) ? "norm" : layers.has(node) ? "accumulator" : undefined;
    const group = groups.byAnchor.get(node);
    // A gain ends its chain already; finite bounds other than zero would differ from channel to channel.
    if (kind === undefined || node.op === "Conv" || group?.riding.gains) continue;
    if (kind === "accumulator" && group?.riding.kind === "clamp" && !keepsUnderGain(group.riding)) continue;
    const value = kind === "norm" ? node.outputs[0] : (group?.output ?? node.outputs[0]);
    const shape = typeOf(graph, value)?.shape;
    if (!isStatic(shape) || typeOf(graph, value)?.quant) continue;
    const channels = shape[shape.length - 1];
    const found = layersBehind(graph, value, channels, { layers, readers, uses });
    if (found && found.length > 0) links.push({ value, channels, producer: node, kind, readers: found });
  }
  return links;
}

/** Whether scale and shift are constants of one number a channel of the last axis. */
function foldable(graph: Graph, node: Node): boolean {
  const rank = typeOf(graph, node.inputs[0])?.shape?.length;
  const axis = node.attrs.get("axis");
  const last = axis === undefined || ("i" in axis && [-1, (rank ?? 0) - 1].includes(Number(axis.i)));
  const parameters = node.inputs.slice(1).filter((name) => name !== "");
  return (
    last &&
    node.outputs.slice(1).every((name) => name === "") &&
    parameters.every((name) => {
      const tensor = graph.constants.get(name);
      return tensor !== undefined && !tensor.quant && tensor.shape.length === 1;
    })
  );
}

interface Known {
  readonly layers: ReadonlyMap<Node, Layer>;
  readonly readers: ReadonlyMap<string, readonly Node[]>;
  readonly uses: ReadonlyMap<string, number>;
}

/** The layers that read the value, through Reshapes that keep its last axis; undefined where anything else reads it. */
function layersBehind(graph: Graph, value: string, channels: number, known: Known): Layer[] | undefined {
  const found: Layer[] = [];
  const waiting = [value];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const all = known.readers.get(name) ?? [];
    // More uses than reading nodes: a graph output, a state, a subgraph.
    if (known.uses.get(name) !== all.length) return undefined;
    for (const reader of all) {
      const layer = known.layers.get(reader);
      const last = typeOf(graph, reader.outputs[0])?.shape?.at(-1);
      if (
        layer &&
        layer.groups === 1 &&
        reader.op !== "Conv" &&
        reader.inputs[0] === name &&
        layer.depth === channels
      ) {
        found.push(layer);
      } else if (reader.op === "Reshape" && last === channels) waiting.push(reader.outputs[0]);
      else return undefined;
    }
  }
  return found;
}

/** Vectors of each link's value, [count, channels]: of at most `samples` samples, `most` of each. */
export async function linkVectors(
  graph: Graph,
  links: readonly SmoothLink[],
  samples: Samples,
  limit: number,
  most: number,
): Promise<Float64Array[]> {
  const model = modelOf(
    graph,
    links.map(({ value }) => value),
  );
  const session = model && (await createSession(model));
  const found: number[][] = links.map(() => []);
  try {
    for await (const task of tasksOf(samples, limit)) {
      const run = openRun(session, graph.states);
      for (const [index, sample] of task.samples.entries()) {
        const seen = await run(sample);
        for (const [at, { value, channels }] of links.entries()) {
          const values = seen(value);
          if (!values) continue;
          for (const row of chosenVectors(values.length / channels, most, task.first + index)) {
            for (let channel = 0; channel < channels; channel++) found[at].push(values[row * channels + channel]);
          }
        }
      }
    }
  } finally {
    await session?.release();
  }
  return found.map((values) => Float64Array.from(values));
}

/** Eighths that α is tried at. */
const ALPHAS = [2, 3, 4, 5, 6, 7];
/** What smoothing must save of the error on vectors it was not chosen on. */
const WORTH = 0.95;
/** Factors lie within this of the largest. */
const SPREAD = 256;

/**
 * SmoothQuant (Xiao et al. 2023): s_j = max|X_j|^α / max|W_j|^(1−α) moves the range of a channel from the activation, which has one
 * scale for all, to the weights. α is what makes the rounded product closest to the exact one on half of the vectors; undefined
 * where that does not clearly help on the other half.
 */
export async function smoothingFactors(
  weights: readonly Matrix[],
  vectors: Float64Array,
  channels: number,
  format: WeightFormat,
  algebra: Algebra,
): Promise<Float64Array | undefined> {
  const count = vectors.length / channels;
  if (count < 4) return undefined;
  // Every other vector: neighbours come from one sample.
  const halves = [0, 1].map((half) => {
    const part = new Float64Array(Math.ceil((count - half) / 2) * channels);
    for (let row = half, at = 0; row < count; row += 2, at += channels) {
      part.set(vectors.subarray(row * channels, (row + 1) * channels), at);
    }
    return part;
  });
  const errorOf = (half: Float64Array, factors: Float64Array | undefined) =>
    productError(weights, half, channels, factors, format, algebra);
  const before = await errorOf(halves[0], undefined);
  let [best, least] = [undefined as Float64Array | undefined, before];
  for (const eighths of ALPHAS) {
    const factors = factorsOf(weights, vectors, channels, eighths);
    const error = await errorOf(halves[0], factors);
    if (error < least) [best, least] = [factors, error];
  }
  if (!best) return undefined;
  return (await errorOf(halves[1], best)) < WORTH * (await errorOf(halves[1], undefined)) ? best : undefined;
}

function factorsOf(weights: readonly Matrix[], vectors: Float64Array, channels: number, eighths: number): Float64Array {
  const [x, w] = [new Float64Array(channels), new Float64Array(channels)];
  for (let at = 0; at < vectors.length; at++) x[at % channels] = Math.max(x[at % channels], Math.abs(vectors[at]));
  for (const { values } of weights) {
    for (let at = 0; at < values.length; at++) w[at % channels] = Math.max(w[at % channels], Math.abs(values[at]));
  }
  const [mostX, mostW] = [x, w].map((list) => list.reduce((most, value) => Math.max(most, value), 1e-30));
  const factors = x.map((value, channel) => {
    const a = wholePower(eighthRoot(Math.max(value / mostX, 1 / SPREAD)), eighths);
    return a / wholePower(eighthRoot(Math.max(w[channel] / mostW, 1 / SPREAD)), 8 - eighths);
  });
  const most = factors.reduce((top, value) => Math.max(top, value), 0);
  return factors.map((factor) => Math.max(factor / most, 1 / SPREAD));
}

/** Σ (rounded product − exact product)², activations int8 with one scale, weights as they will be stored. */
async function productError(
  weights: readonly Matrix[],
  vectors: Float64Array,
  channels: number,
  factors: Float64Array | undefined,
  format: WeightFormat,
  algebra: Algebra,
): Promise<number> {
  const count = vectors.length / channels;
  const scaled = factors ? vectors.map((value, at) => value / factors[at % channels]) : vectors;
  const stored = throughInt8(scaled);
  const even = new Float64Array(channels).fill(1);
  let error = 0;
  for (const { rows, depth, values } of weights) {
    const matrix = { rows, depth, values: factors ? values.map((value, at) => value * factors[at % depth]) : values };
    const rounded = realise(roundToGrid(matrix, searchedGrid(matrix, even, { format, block: 64 })), rows, depth);
    const exact = await algebra.multiply(vectors, count, depth, transposed(values, rows, depth), rows);
    const made = await algebra.multiply(stored, count, depth, transposed(rounded, rows, depth), rows);
    for (let at = 0; at < exact.length; at++) error += (made[at] - exact[at]) ** 2;
  }
  return error;
}

function throughInt8(values: Float64Array): Float64Array {
  let [low, high] = [0, 0];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const scale = (high - low || 1) / 255;
  const zero = Math.round(-128 - low / scale);
  return values.map((value) => (Math.min(127, Math.max(-128, Math.round(value / scale) + zero)) - zero) * scale);
}

/** The weights that a link's readers multiply with, a row an output channel. */
export function weightsOf(graph: Graph, { readers }: SmoothLink): Matrix[] {
  return readers.map((layer) => matrixOf(layer, graph.constants.get(layer.weights) as Tensor));
}

/** Divides the links' channels by their factors and multiplies the weights that read them. */
export function smooth(
  graph: Graph,
  links: readonly SmoothLink[],
  factors: readonly (Float64Array | undefined)[],
): Graph {
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const replaced = new Map<Node, Node[]>();
  const renamed = new Map<string, string>();
  const fresh = (hint: string, tensor: Tensor) => {
    const name = freshName(hint, names);
    names.add(name);
    constants.set(name, tensor);
    return name;
  };
  for (const [index, link] of links.entries()) {
    const own = factors[index];
    if (!own) continue;
    const inverse = own.map((factor) => 1 / factor);
    for (const { weights, axis } of link.readers) {
      constants.set(weights, scaleAxis(constants.get(weights) as Tensor, 1 - axis, own));
    }
    if (link.kind === "norm") {
      const inputs = link.producer.inputs.map((name, at) => {
        const tensor = at > 0 && name !== "" ? constants.get(name) : undefined;
        return tensor ? fresh(`${name}/smooth`, spreadOver(tensor, inverse)) : name;
      });
      replaced.set(link.producer, [{ ...link.producer, inputs }]);
      continue;
    }
    const gains = fresh(`${link.value}/gains`, fromReals("float32", [link.channels], inverse));
    const made = freshName(`${link.value}/smooth`, names);
    names.add(made);
    const type = graph.types.get(link.value);
    if (type) types.set(made, type);
    renamed.set(link.value, made);
    const last = graph.nodes.find((node) => node.outputs.includes(link.value)) as Node;
    const gain: Node = {
      op: "Mul",
      domain: "",
      inputs: [link.value, gains],
      outputs: [made],
      attrs: makeAttrs({}),
      origin: last.origin,
    };
    replaced.set(last, [last, gain]);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    const made = replaced.get(node) ?? [node];
    const [first, ...rest] = made;
    return [{ ...first, inputs: first.inputs.map((name) => renamed.get(name) ?? name) }, ...rest];
  });
  const used = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs]);
  for (const name of constants.keys()) if (!used.has(name) && !graph.inputs.includes(name)) constants.delete(name);
  return { ...graph, nodes, constants, types };
}

/** A parameter of one number, or one a channel, times a factor a channel. */
function spreadOver(tensor: Tensor, factors: Float64Array): Tensor {
  const values = realsOf(tensor) as Float64Array;
  const one = elementCount(tensor.shape) === 1;
  return fromReals(
    tensor.dtype,
    [factors.length],
    factors.map((factor, channel) => factor * values[one ? 0 : channel]),
  );
}
