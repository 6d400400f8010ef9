import { fromReals } from "../ir/channels.ts";
import { EMPTY_ATTRS, freshName, type Graph, intAttr, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { stridesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import type { Link } from "./links.ts";
import type { ChannelRequest } from "./probe.ts";
import { eighthRoot, wholePower } from "./roots.ts";

/** What `equalize` must know of each link, in their order: of each value the channels' magnitudes and their energies. */
export function channelRequests(links: readonly Link[]): ChannelRequest[] {
  return links.flatMap(({ values }) =>
    values.flatMap((value): ChannelRequest[] => [
      { value, axis: 1, moment: 8 },
      { value, axis: 1, moment: 2 },
    ]),
  );
}

/** What the names of values end with whose channels are not the teacher's any more, but scaled. */
const EQUALIZED = "/equalized";

/** The name before equalization. */
export const unscaledName = (name: string): string =>
  name.endsWith(EQUALIZED) ? name.slice(0, -EQUALIZED.length) : name;

/** Channels whose ranges differ by more than this are not brought closer: rounding error would take over elsewhere. */
const SPREAD = 256;

/**
 * Cross-layer equalization (Nagel et al. 2019) carried over the activation: each channel of a link is divided by s_c, the readers'
 * weights are multiplied with it. Dividing costs nothing, since it is a part of the producer's requantization. `measured`: the
 * moments of `channelRequests`. `isCoarse`: which products' weights get 4 bits.
 */
export function equalize(
  graph: Graph,
  links: readonly Link[],
  measured: readonly Float64Array[],
  isCoarse: (node: Node) => boolean = () => false,
): Graph {
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const added = new Map<string, Node>();
  const weights = new Map<Node, string>();
  const renamed = new Map<string, string>();
  let at = 0;
  for (const link of links) {
    const moments = measured.slice(at, at + 2 * link.values.length);
    at += moments.length;
    const coarse = link.readers.some(({ node }) => isCoarse(node));
    const factors = factorsOf(link, moments, constants, coarse);
    if (!factors) continue;
    const fresh = (hint: string) => {
      const name = freshName(hint, names);
      names.add(name);
      return name;
    };
    for (const value of link.made) {
      const spatial = (typeOf(graph, value)?.shape?.length ?? 4) - 2;
      const gains = fresh(`${value}/gains`);
      const shape = [link.channels, ...new Array<number>(spatial).fill(1)];
      constants.set(
        gains,
        fromReals(
          "float32",
          shape,
          Float64Array.from(factors, (factor) => 1 / factor),
        ),
      );
      const equalized = fresh(`${value}${EQUALIZED}`);
      renamed.set(value, equalized);
      const type = graph.types.get(value);
      if (type) types.set(equalized, type);
      added.set(value, {
        op: "Mul",
        domain: "",
        inputs: [value, gains],
        outputs: [equalized],
        attrs: EMPTY_ATTRS,
        origin: graph.nodes.find((node) => node.outputs.includes(value))?.origin ?? [],
      });
    }
    for (const { to } of link.passes) {
      const name = fresh(`${to}${EQUALIZED}`);
      const type = types.get(to);
      if (type) types.set(name, type);
      types.delete(to);
      renamed.set(to, name);
    }
    for (const { node } of link.readers) {
      const name = fresh(`${node.inputs[1]}/equalized`);
      constants.set(name, scaleInputs(constants.get(node.inputs[1]) as Tensor, factors, node));
      weights.set(node, name);
    }
  }
  if (added.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    const own = weights.get(node);
    const inputs = node.inputs.map((name, index) => (index === 1 && own) || (renamed.get(name) ?? name));
    const outputs = node.outputs.map((name) => (added.has(name) ? name : (renamed.get(name) ?? name)));
    return [{ ...node, inputs, outputs }, ...node.outputs.flatMap((name) => added.get(name) ?? [])];
  });
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...graph.outputs]);
  for (const name of constants.keys()) if (!used.has(name)) constants.delete(name);
  return { ...graph, nodes, constants, types };
}

/** How much of a channel's magnitude the factor takes, the rest being its weights': what is tried. */
const SHARES = [0.25, 0.5, 0.75, 1];

/**
 * Factors s_c = a_c^α / w_c^(1−α) with a largest of one, for the α that leaves the least noise (SmoothQuant, Xiao et al. 2022,
 * searches the same family); undefined where none does better than no factors. Before `coarse` weights it is one half, or all of it
 * where each channel's weights have a scale of their own, and of values that meet in sums nothing is scaled.
 */
function factorsOf(
  link: Link,
  moments: readonly Float64Array[],
  constants: ReadonlyMap<string, Tensor>,
  coarse: boolean,
): Float64Array | undefined {
  const { channels } = link;
  if (moments.some((list) => list.length !== channels)) return undefined;
  const values = new Map(
    link.values.map((value, index) => [
      value,
      { magnitudes: moments[2 * index].map(eighthRoot), energies: moments[2 * index + 1] },
    ]),
  );
  const relative = [...values.values()].map(({ magnitudes }) => shares(magnitudes));
  const products = link.readers.map(({ node, value }) => {
    const energies = values.get(value)?.energies ?? new Float64Array(channels);
    return productOf(constants.get(node.inputs[1]) as Tensor, node, energies);
  });
  const columns = products.map(({ columns: own }) => shares(own));
  const [a, w] = [relative, columns].map((lists) =>
    Float64Array.from({ length: channels }, (_, channel) =>
      Math.max(1 / SPREAD, ...lists.map((list) => list[channel])),
    ),
  );
  const factorsAt = (share: number) =>
    normalised(a.map((magnitude, channel) => powerOf(magnitude, share) / powerOf(w[channel], 1 - share)));
  if (coarse) {
    // How 4-bit weights are rounded decides about their noise more than their reach does.
    const depthwise = link.readers.every(({ node }) => intAttr(node, "group", 1) === channels);
    return link.passes.length > 0 ? undefined : factorsAt(depthwise ? 1 : 0.5);
  }
  const behind = gainsBehind(link, products);
  const noise = (factors: Float64Array) =>
    products.reduce((sum, product) => sum + noiseOf(product, factors), 0) +
    link.values.reduce((sum, value, index) => {
      const step = stepOf(values.get(value)?.magnitudes ?? behind[index], factors);
      return sum + step ** 2 * total(behind[index], (gain, channel) => gain * factors[channel] ** 2);
    }, 0);
  let best: Float64Array | undefined;
  let least = noise(new Float64Array(channels).fill(1)) * WORTH;
  for (const share of SHARES) {
    const tried = factorsAt(share);
    const found = noise(tried);
    if (found < least) [best, least] = [tried, found];
  }
  return best;
}

/** For each value of a link, and each channel, what the products behind it make of an error's energy, relative to theirs. */
function gainsBehind({ channels, values, readers, passes }: Link, products: readonly Product[]): Float64Array[] {
  const gains = new Map<string, Float64Array>();
  const add = (value: string, more: Float64Array, times: number) => {
    const own = gains.get(value) ?? new Float64Array(channels);
    gains.set(
      value,
      own.map((gain, channel) => gain + more[channel] * times),
    );
  };
  for (const [index, { value }] of readers.entries()) add(value, products[index].gains, 1 / products[index].energy);
  for (const { from, to, averaged } of passes.toReversed()) {
    const more = gains.get(to);
    if (more) for (const name of from) add(name, more, 1 / averaged);
  }
  return values.map((value) => gains.get(value) ?? new Float64Array(channels));
}

/** Below this share of the noise without factors they are worth having. */
const WORTH = 0.98;

/** x to a share that is a whole number of quarters. */
function powerOf(x: number, share: number): number {
  return wholePower(Math.sqrt(Math.sqrt(x)), Math.round(4 * share));
}

function shares(list: Float64Array): Float64Array {
  const largest = list.reduce((most, each) => Math.max(most, each), 1e-30);
  return list.map((each) => each / largest);
}

function normalised(list: Float64Array): Float64Array {
  return shares(list).map((each) => Math.max(each, 1 / SPREAD));
}

const total = (list: Float64Array, of: (value: number, index: number) => number): number =>
  list.reduce((sum, value, index) => sum + of(value, index), 0);

/** A product with constant weights, as far as its noise is concerned. */
interface Product {
  /** Largest magnitude of each input channel's weights, and the sum of their squares. */
  readonly columns: Float64Array;
  readonly gains: Float64Array;
  /** Largest magnitude of each output's weights for each of its inputs. */
  readonly rows: readonly { readonly first: number; readonly reach: Float64Array }[];
  /** Mean energy of each input channel times its taps. */
  readonly inputs: Float64Array;
  /** Of the result, as if the channels had nothing to do with each other. */
  readonly energy: number;
}

function productOf(weights: Tensor, node: Node, energies: Float64Array): Product {
  const channels = energies.length;
  const values = decode(weights) as ArrayLike<number>;
  const [columns, gains] = [new Float64Array(channels), new Float64Array(channels)];
  const { outputs, depth, kernel, group, at } = layoutOf(weights, node);
  const rows = Array.from({ length: outputs }, (_, output) => {
    const first = Math.floor(output / (outputs / group)) * depth;
    const reach = new Float64Array(depth);
    for (let input = 0; input < depth; input++) {
      for (let tap = 0; tap < kernel; tap++) {
        const value = Math.abs(values[at(output, input, tap)]);
        reach[input] = Math.max(reach[input], value);
        gains[first + input] += value * value;
      }
      columns[first + input] = Math.max(columns[first + input], reach[input]);
    }
    return { first, reach };
  });
  const energy = total(gains, (gain, channel) => gain * energies[channel]) || 1e-30;
  return { columns, gains, rows, inputs: energies.map((each) => each * kernel), energy };
}

/** Where the weights of an output and an input channel lie. */
function layoutOf(weights: Tensor, node: Node) {
  const [first, second] = weights.shape;
  if (node.op === "Conv") {
    const kernel = stridesOf(weights.shape)[1];
    const at = (output: number, input: number, tap: number) => (output * second + input) * kernel + tap;
    return { outputs: first, depth: second, kernel, group: intAttr(node, "group", 1), at };
  }
  const transposed = intAttr(node, "transB", 0) !== 0;
  const at = (output: number, input: number) => (transposed ? output * second + input : input * second + output);
  return { outputs: transposed ? first : second, depth: transposed ? second : first, kernel: 1, group: 1, at };
}

/** Steps of 8 bits in what weights reach to either side, and in what an activation does. */
const [WEIGHT_STEPS, STEPS] = [127, 255];

/** Relative noise of rounding the weights: each row's step², over the energies of its inputs. */
function noiseOf({ rows, inputs, energy }: Product, factors: Float64Array): number {
  let noise = 0;
  for (const { first, reach } of rows) {
    let [largest, read] = [0, 0];
    for (let input = 0; input < reach.length; input++) {
      const factor = factors[first + input];
      largest = Math.max(largest, reach[input] * factor);
      read += inputs[first + input] / (factor * factor);
    }
    noise += (largest / WEIGHT_STEPS) ** 2 * read;
  }
  return noise / energy;
}

function stepOf(magnitudes: Float64Array, factors: Float64Array): number {
  return magnitudes.reduce((most, each, channel) => Math.max(most, each / factors[channel]), 0) / STEPS;
}

/** Weights times the factor of each input channel. */
function scaleInputs(weights: Tensor, factors: Float64Array, node: Node): Tensor {
  const values = Float64Array.from(decode(weights) as ArrayLike<number>);
  const { outputs, depth, kernel, group, at } = layoutOf(weights, node);
  for (let output = 0; output < outputs; output++) {
    const first = Math.floor(output / (outputs / group)) * depth;
    for (let input = 0; input < depth; input++) {
      for (let tap = 0; tap < kernel; tap++) values[at(output, input, tap)] *= factors[first + input];
    }
  }
  return fromReals(weights.dtype, weights.shape, values);
}
