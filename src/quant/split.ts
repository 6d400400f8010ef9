/** Channel splitting: a channel that alone makes a value's range wide becomes two channels of half its size. */
import { fromReals, realsOf } from "../ir/channels.ts";
import { attrs, freshName, type Graph, intAttr, type Node, type Tensor, type Type, typeOf } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { stridesOf } from "../ir/tensor.ts";
import { namesOf, readsOf } from "../ir/uses.ts";
import { fusionGroups } from "./groups.ts";
import { findNeighbours, type Neighbours } from "./neighbours.ts";
import type { ChannelRequest } from "./probe.ts";
import { eighthRoot } from "./roots.ts";

/** A link whose channels may be doubled: one dense convolution makes them, and only such read them. */
export interface SplitLink extends Neighbours {
  readonly producer: Node;
  /** What rides on the producer, up to the value that the readers read. */
  readonly chain: readonly Node[];
}

/** Links of the graph, in execution order; their constants are floats that can be had in other sizes. */
export function splitLinks(graph: Graph): SplitLink[] {
  const { byAnchor } = fusionGroups(graph);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name): [string, Node] => [name, node])));
  const anchors = new Map([...byAnchor.values()].map((group) => [group.output, group]));
  const isDense = (node: Node) => intAttr(node, "group", 1) === 1;
  return findNeighbours(graph).flatMap((link): SplitLink[] => {
    const group = anchors.get(link.value);
    const producer = group?.anchor ?? (producers.get(link.value) as Node);
    const chain = group?.activations ?? [];
    const constants = [...producer.inputs.slice(1), ...chain.flatMap(({ inputs }) => inputs)];
    const known = constants.every((name) => {
      const tensor = name === "" ? undefined : graph.constants.get(name);
      return tensor === undefined ? name === "" || producers.has(name) : realsOf(tensor) !== undefined;
    });
    const alike = chain.every(({ inputs }) => inputs.every((name) => sized(graph, name, link.channels)));
    if (!known || !alike || ![producer, ...link.readers].every(isDense)) return [];
    return graph.constants.has(producer.inputs[1]) ? [{ ...link, producer, chain }] : [];
  });
}

/** What `dominating` must know of each link, in their order. */
export function splitRequests(links: readonly SplitLink[]): ChannelRequest[] {
  return links.map(({ value }) => ({ value, axis: 1, moment: 8 }));
}

/** Constants of a chain: one number, or one a channel. */
function sized(graph: Graph, name: string, channels: number): boolean {
  const tensor = graph.constants.get(name);
  return tensor === undefined || channelPlace(tensor, channels) !== undefined;
}

/** The axis of a constant with a number a channel, −1 of a single number; undefined of others. */
function channelPlace({ shape }: Tensor, channels: number): number | undefined {
  const long = shape.flatMap((size, axis) => (size === 1 ? [] : [axis]));
  if (long.length === 0) return -1;
  return long.length === 1 && shape[long[0]] === channels ? long[0] : undefined;
}

/** More channels than this share of a value's are no outliers, and cost too much. */
const MOST = 1 / 16;

/** Channels that must be halved for the range to be halved, from (E|x|⁸) of each; undefined where these are many or all. */
export function dominating(eighths: Float64Array): number[] | undefined {
  const sizes = Float64Array.from(eighths, eighthRoot);
  const top = sizes.reduce((most, size) => Math.max(most, size), 0);
  const large = [...sizes.keys()].filter((channel) => sizes[channel] > top / 2);
  if (!(top > 0) || !Number.isFinite(top)) return undefined;
  return large.length < sizes.length && large.length <= Math.max(1, sizes.length * MOST) ? large : undefined;
}

/** Which channels of a link are doubled. */
export interface Choice {
  readonly link: SplitLink;
  readonly channels: readonly number[];
}

/**
 * w·y is w·(y/2) + w·(y/2), but for the order in which a sum is rounded: the producer makes each chosen channel twice, a gain on its result halves both,
 * and the readers have the same weights for both. As in equalization the gain is a part of the producer's requantization, so
 * whatever function lies between does not matter. The value's range is halved; what it costs is one more channel.
 * Also gives the values that the readers read now, in the order of the choices.
 */
export function split(graph: Graph, choices: readonly Choice[]): { graph: Graph; values: string[] } {
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const changed = new Map<Node, Node>();
  const added = new Map<string, Node>();
  const now = (node: Node): Node => changed.get(node) ?? node;
  const put = (hint: string, tensor: Tensor): string => {
    const name = freshName(`${hint}/split`, names);
    names.add(name);
    constants.set(name, tensor);
    return name;
  };
  const doubled = (name: string, axis: number, channels: readonly number[], factor = 1): string =>
    put(name, withCopies(constants.get(name) as Tensor, axis, channels, factor));
  const values = choices.map(({ link, channels }) => {
    const { producer, chain, readers, value } = link;
    const [data, ...own] = now(producer).inputs;
    const twice = own.map((name) => (name === "" ? "" : doubled(name, 0, channels)));
    changed.set(producer, { ...now(producer), inputs: [data, ...twice] });
    const gained = chain.at(-1);
    const gains = gained && gained.op === "Mul" ? gained.inputs.find((name) => placeOf(name) >= 0) : undefined;
    for (const node of chain) {
      const inputs = node.inputs.map((name) => {
        const axis = placeOf(name);
        return axis < 0 ? name : doubled(name, axis, channels, node === gained && name === gains ? 0.5 : 1);
      });
      changed.set(node, { ...node, inputs });
    }
    for (const name of [producer, ...chain].flatMap(({ outputs }) => outputs)) {
      const type = types.get(name);
      if (type) types.set(name, wider(type, channels.length));
    }
    const output = gains === undefined ? halved(link, channels) : value;
    for (const reader of readers) {
      const [, weights, ...rest] = now(reader).inputs;
      changed.set(reader, { ...now(reader), inputs: [output, doubled(weights, 1, channels), ...rest] });
    }
    return output;

    function placeOf(name: string): number {
      const tensor = graph.constants.get(name);
      return tensor ? (channelPlace(tensor, link.channels) ?? -1) : -1;
    }
  });
  const nodes = graph.nodes.flatMap((node) => {
    const after = node.outputs.map((name) => added.get(name)).filter((extra) => extra !== undefined);
    return [now(node), ...after];
  });
  const used = new Set([...nodes.flatMap(readsOf), ...graph.outputs]);
  for (const name of constants.keys()) if (!used.has(name)) constants.delete(name);
  return { graph: { ...graph, nodes, constants, types }, values };

  /** The value times ½ where it was split, 1 elsewhere. */
  function halved({ value, channels: count, producer }: SplitLink, channels: readonly number[]): string {
    const spatial = (typeOf(graph, value)?.shape?.length ?? 4) - 2;
    const factors = new Float64Array(count + channels.length).fill(1);
    for (const channel of channels) factors[channel] = 0.5;
    factors.fill(0.5, count);
    const shape = [factors.length, ...new Array<number>(spatial).fill(1)];
    const gains = put(`${value}/gains`, fromReals("float32", shape, factors));
    const output = freshName(`${value}/split`, names);
    names.add(output);
    types.set(output, types.get(value) as Type);
    added.set(value, {
      ...{ op: "Mul", domain: "", inputs: [value, gains], outputs: [output] },
      ...{ attrs: attrs({}), origin: producer.origin },
    });
    return output;
  }
}

/** The tensor with copies of some of an axis' slices behind it; copies and originals times `factor`. */
function withCopies(tensor: Tensor, axis: number, channels: readonly number[], factor: number): Tensor {
  const values = decode(tensor) as ArrayLike<number>;
  const { shape } = tensor;
  const inner = stridesOf(shape)[axis];
  const [size, wide] = [shape[axis], shape[axis] + channels.length];
  const source = [...Array(size).keys(), ...channels];
  const scaled = new Set(channels);
  const out = new Float64Array((values.length / size) * wide);
  for (let index = 0; index < out.length; index++) {
    const slice = source[Math.floor(index / inner) % wide];
    const at = Math.floor(index / (inner * wide)) * inner * size + slice * inner + (index % inner);
    out[index] = values[at] * (scaled.has(slice) ? factor : 1);
  }
  return fromReals(
    tensor.dtype,
    shape.map((dim, at) => (at === axis ? wide : dim)),
    out,
  );
}

function wider(type: Type, more: number): Type {
  const shape = type.shape?.map((size, axis) => (axis === 1 ? Number(size) + more : size));
  return shape ? { ...type, shape } : type;
}
