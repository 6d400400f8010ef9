import { fromReals } from "../ir/channels.ts";
import { EMPTY_ATTRS, freshName, type Graph, intAttr, isStatic, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { stridesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { fusionGroups } from "./groups.ts";
import type { ChannelRequest } from "./probe.ts";

/** A value that one convolution makes and only convolutions read: its channels may be scaled freely between them. */
export interface Link {
  readonly value: string;
  readonly channels: number;
  readonly readers: readonly Node[];
}

/** Links of the graph, in the order in which their values are made; `gained`: those with a gain a channel too. */
export function findLinks(graph: Graph, gained = false): Link[] {
  const { byAnchor } = fusionGroups(graph);
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) {
      const list = readers.get(name);
      if (list) list.push(node);
      else readers.set(name, [node]);
    }
  }
  const fixed = new Set([...graph.outputs, ...graph.states.map((state) => state.output)]);
  const links: Link[] = [];
  for (const node of graph.nodes) {
    if (node.op !== "Conv" || node.domain !== "") continue;
    const group = byAnchor.get(node);
    // Finite bounds other than zero would differ from channel to channel.
    const riding = group?.riding;
    if ((riding?.gains && !gained) || (riding?.kind === "clamp" && !keepsUnderGain(riding))) continue;
    const value = group?.output ?? node.outputs[0];
    const shape = typeOf(graph, value)?.shape;
    const all = readers.get(value) ?? [];
    if (fixed.has(value) || all.length === 0 || !isStatic(shape) || typeOf(graph, value)?.quant) continue;
    if (all.every((reader) => readsAsConvolution(graph, reader, value))) {
      links.push({ value, channels: shape[1], readers: all });
    }
  }
  return links;
}

function keepsUnderGain({ low, high }: { low: number; high: number }): boolean {
  return (low === 0 || low === Number.NEGATIVE_INFINITY) && high === Number.POSITIVE_INFINITY;
}

function readsAsConvolution(graph: Graph, node: Node, value: string): boolean {
  if (node.op !== "Conv" || node.domain !== "" || node.inputs[0] !== value) return false;
  const weights = graph.constants.get(node.inputs[1]);
  return weights !== undefined && !weights.quant && node.inputs.indexOf(value, 1) < 0;
}

/** What `equalize` must know of each link, in their order. */
export function channelRequests(links: readonly Link[]): ChannelRequest[] {
  return links.map(({ value }) => ({ value, axis: 1, moment: 8 }));
}

/** (E|x|⁸)^⅛: close to the largest magnitude, but not at the mercy of one number. Math.pow differs between machines. */
export const eighthRoot = (mean: number): number => Math.sqrt(Math.sqrt(Math.sqrt(mean)));

/** Channels whose ranges differ by more than this are not brought closer: rounding error would take over elsewhere. */
const SPREAD = 256;

/**
 * Cross-layer equalization (Nagel et al. 2019) carried over the activation: each channel of a link is divided by s_c, the
 * readers' weights are multiplied with it. Dividing costs nothing, since it is a part of the producer's requantization. A
 * depthwise reader has a scale for every channel anyway, so there s_c makes all channels equally large; a dense reader
 * shares one scale over its inputs, so there half of the imbalance stays in the activation: s_c = √(a_c / w_c)
 * (SmoothQuant, Xiao et al. 2022, α = ½).
 */
export function equalize(graph: Graph, links: readonly Link[], eighths: readonly Float64Array[]): Graph {
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const scaled = new Map<Node, Node>();
  const added = new Map<string, Node>();
  for (const [index, link] of links.entries()) {
    const factors = factorsOf(link, eighths[index]?.map(eighthRoot), constants, scaled);
    if (!factors) continue;
    const fresh = (hint: string) => {
      const name = freshName(hint, names);
      names.add(name);
      return name;
    };
    const spatial = (typeOf(graph, link.value)?.shape?.length ?? 4) - 2;
    const gains = fresh(`${link.value}/gains`);
    const ones = new Array<number>(spatial).fill(1);
    constants.set(
      gains,
      fromReals(
        "float32",
        [link.channels, ...ones],
        factors.map((factor) => 1 / factor),
      ),
    );
    const equalized = fresh(`${link.value}/equalized`);
    const type = graph.types.get(link.value);
    if (type) types.set(equalized, type);
    added.set(link.value, {
      op: "Mul",
      domain: "",
      inputs: [link.value, gains],
      outputs: [equalized],
      attrs: EMPTY_ATTRS,
      origin: graph.nodes.find((node) => node.outputs.includes(link.value))?.origin ?? [],
    });
    for (const reader of link.readers) {
      const current = scaled.get(reader) ?? reader;
      const weights = constants.get(current.inputs[1]) as Tensor;
      const name = fresh(`${reader.inputs[1]}/equalized`);
      constants.set(name, scaleInputs(weights, factors, intAttr(reader, "group", 1)));
      scaled.set(reader, { ...current, inputs: [equalized, name, ...current.inputs.slice(2)] });
    }
  }
  if (added.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    const own = scaled.get(node) ?? node;
    const after = node.outputs.map((name) => added.get(name)).filter((extra) => extra !== undefined);
    return [own, ...after];
  });
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...graph.outputs]);
  for (const name of constants.keys()) if (!used.has(name)) constants.delete(name);
  return { ...graph, nodes, constants, types };
}

/** s_c with a largest of one, as powers of nothing in particular: floats, since weights are rounded after it. */
function factorsOf(
  { channels, readers }: Link,
  magnitudes: Float64Array | undefined,
  constants: ReadonlyMap<string, Tensor>,
  scaled: ReadonlyMap<Node, Node>,
): Float64Array | undefined {
  if (magnitudes?.length !== channels) return undefined;
  const largest = Math.max(...magnitudes);
  if (!(largest > 0) || !Number.isFinite(largest)) return undefined;
  const dense = readers.filter((reader) => intAttr(reader, "group", 1) !== channels);
  const columns = dense.map((reader) =>
    columnMagnitudes(constants.get((scaled.get(reader) ?? reader).inputs[1]) as Tensor, channels, reader),
  );
  const factors = magnitudes.map((magnitude, channel) => {
    const a = Math.max(magnitude / largest, 1 / SPREAD);
    if (columns.length === 0) return a;
    const w = columns.reduce((most, column) => Math.max(most, column[channel]), 0);
    return Math.sqrt(a / Math.max(w, 1 / SPREAD));
  });
  const most = Math.max(...factors);
  return factors.map((factor) => Math.max(factor / most, 1 / SPREAD));
}

/** Largest weight magnitude of each input channel, relative to the largest of all. */
function columnMagnitudes(weights: Tensor, channels: number, node: Node): Float64Array {
  const values = decode(weights) as ArrayLike<number>;
  const group = intAttr(node, "group", 1);
  const [outputs, depth] = weights.shape;
  const kernel = stridesOf(weights.shape)[1];
  const magnitudes = new Float64Array(channels);
  for (let output = 0; output < outputs; output++) {
    const start = Math.floor(output / (outputs / group)) * depth;
    for (let input = 0; input < depth; input++) {
      for (let tap = 0; tap < kernel; tap++) {
        const value = Math.abs(values[(output * depth + input) * kernel + tap]);
        magnitudes[start + input] = Math.max(magnitudes[start + input], value);
      }
    }
  }
  const largest = Math.max(...magnitudes, 1e-30);
  return magnitudes.map((magnitude) => magnitude / largest);
}

/** Weights [outputs, depth, …] times the factor of each input channel. */
function scaleInputs(weights: Tensor, factors: Float64Array, group: number): Tensor {
  const values = Float64Array.from(decode(weights) as ArrayLike<number>);
  const [outputs, depth] = weights.shape;
  const kernel = stridesOf(weights.shape)[1];
  for (let index = 0; index < values.length; index++) {
    const row = Math.floor(index / kernel);
    const first = Math.floor(Math.floor(row / depth) / (outputs / group)) * depth;
    values[index] *= factors[first + (row % depth)];
  }
  return fromReals(weights.dtype, weights.shape, values);
}
