/** States of which a step only replaces rows: what a decoder knows of the tokens before. */

import { fromReals } from "../ir/channels.ts";
import { freshName, type Graph, isStatic, attrs as makeAttrs, type Node, type State, typeOf } from "../ir/graph.ts";
import { bytesOf, int64 } from "../ir/tensor.ts";
import { countUses, namesOf } from "../ir/uses.ts";

/** Metadata in which `quantize/int8` leaves the states that `lower/pack-caches` packs: JSON, their inputs' names. */
export const PACKED_CACHES = "quantize/packed-caches";

/** A state with the TensorScatter that replaces its rows. */
export interface Cache {
  readonly state: State;
  readonly node: Node;
}

/** The caches of a graph whose values are still real numbers, in the order of the states. */
export function cachesOf(graph: Graph): Cache[] {
  const makers = new Map<string, Node>();
  for (const node of graph.nodes) if (node.op === "TensorScatter") makers.set(node.outputs[0], node);
  return graph.states.flatMap((state) => {
    const node = makers.get(state.output);
    return node ? [{ state, node }] : [];
  });
}

/** Whether codes of 4 bits fill whole bytes in every row of a cache. */
export function canPack(graph: Graph, { state }: Cache): boolean {
  const shape = typeOf(graph, state.input)?.shape;
  return isStatic(shape) && shape.length >= 3 && shape[shape.length - 1] % 2 === 0;
}

/**
 * A cache [batch, heads…, rows, channels] whose channels may be divided by anything: only products read it, and `product` takes it
 * back. Keys are summed over their channels, so their factors go to the other operand; values bring theirs to the result.
 */
interface FreeCache extends Cache {
  readonly product: Node;
  readonly kind: "keys" | "values";
  readonly shape: readonly number[];
}

/** Caches whose channels one product alone reads. */
export function freeCaches(graph: Graph): FreeCache[] {
  const uses = countUses(graph);
  const readers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.inputs) readers.set(name, node);
  return cachesOf(graph).flatMap((cache): FreeCache[] => {
    const { state, node } = cache;
    const shape = typeOf(graph, state.input)?.shape;
    const rank = shape?.length ?? 0;
    const axis = node.attrs.get("axis");
    const rows = axis === undefined || !("i" in axis) ? rank - 2 : (Number(axis.i) + rank) % rank;
    // The state's own use, that as an output which a state is in a model, and one reader's.
    const others = graph.outputs.includes(state.output) ? 2 : 1;
    const isRead = uses.get(state.output) === others + 1 && uses.get(state.input) === 1;
    if (!isStatic(shape) || rank < 3 || rows !== rank - 2 || !isRead || !canPack(graph, cache)) return [];
    const first = readers.get(state.output);
    if (first?.op === "MatMul" && first.inputs[1] === state.output) {
      return isRanked(graph, first.outputs[0], rank) ? [{ ...cache, product: first, kind: "values", shape }] : [];
    }
    const perm = first?.op === "Transpose" ? first.attrs.get("perm") : undefined;
    const turned = perm && "ints" in perm ? perm.ints.map(Number) : [];
    const turns =
      turned.length === rank && turned.every((from, at) => from === (at < rank - 2 ? at : 2 * rank - 3 - at));
    const second = first && turns && uses.get(first.outputs[0]) === 1 ? readers.get(first.outputs[0]) : undefined;
    if (second?.op !== "MatMul" || second.inputs[1] !== first?.outputs[0]) return [];
    return isRanked(graph, second.inputs[0], rank) ? [{ ...cache, product: second, kind: "keys", shape }] : [];
  });
}

function isRanked(graph: Graph, name: string, rank: number): boolean {
  return typeOf(graph, name)?.shape?.length === rank && !graph.constants.has(name);
}

/** The graph with the rows that go into each cache laid out as [rows, channels of all heads], and the names of these values. */
export function withFlatRows(graph: Graph, caches: readonly FreeCache[]): { graph: Graph; names: string[] } {
  const taken = namesOf(graph);
  const constants = new Map(graph.constants);
  const nodes = [...graph.nodes];
  const fresh = (hint: string): string => {
    const name = freshName(hint, taken);
    taken.add(name);
    return name;
  };
  const names = caches.map(({ node, shape }) => {
    const [rows, turned, flat] = [node.inputs[1], fresh("turned"), fresh("flat")];
    const rank = shape.length;
    const perm = [0, rank - 2, ...Array.from({ length: rank - 3 }, (_, at) => at + 1), rank - 1];
    const wanted = fresh("shape");
    constants.set(wanted, int64([2], [-1, channelsOf(shape)]));
    const add = (op: string, inputs: readonly string[], output: string, attributes = {}) =>
      nodes.push({ op, domain: "", inputs, outputs: [output], attrs: makeAttrs(attributes), origin: node.origin });
    add("Transpose", [rows], turned, { perm: { ints: perm } });
    add("Reshape", [turned, wanted], flat);
    return flat;
  });
  return { graph: { ...graph, nodes, constants }, names };
}

function channelsOf(shape: readonly number[]): number {
  return shape.slice(1, -2).reduce((product, size) => product * size, shape[shape.length - 1]);
}

/** Channels whose magnitudes differ by more than this are not brought closer: the other side's rounding would take over. */
const SPREAD = 64;
/** What is as even as this stays as it is. */
const EVEN = 0.9;

/**
 * The channels of each cache divided by their magnitudes, which the other side takes back: q·kᵀ = (q·s)·(k/s)ᵀ, p·v = (p·(v/s))·s.
 * So one scale serves them all, and none varies along an axis that a product sums over. `magnitudes`: of each cache, by head and
 * channel.
 */
export function withEvenChannels(
  graph: Graph,
  caches: readonly FreeCache[],
  magnitudes: readonly ArrayLike<number>[],
): Graph {
  const taken = namesOf(graph);
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const added = new Map<Node, Node[]>();
  const behind = new Map<Node, Node[]>();
  const inputs = new Map<Node, Map<number, string>>();
  const renamed = new Map<string, string>();
  const fresh = (hint: string): string => {
    const name = freshName(hint, taken);
    taken.add(name);
    return name;
  };
  caches.forEach(({ state, node, product, kind, shape }, index) => {
    const all = Array.from(magnitudes[index]);
    const largest = all.reduce((a, b) => Math.max(a, b), 0);
    if (!(largest > 0) || !Number.isFinite(largest) || !isZero(state)) return;
    const factors = all.map((each) => Math.max(each / largest, 1 / SPREAD));
    if (factors.every((factor) => factor > EVEN)) return;
    const sizes = shape.map((size, axis) => (axis === 0 || axis === shape.length - 2 ? 1 : size));
    const constant = (hint: string, values: readonly number[]): string => {
      const name = fresh(hint);
      constants.set(name, fromReals("float32", sizes, values));
      return name;
    };
    const scaled = (from: string, by: string, to: string): Node => {
      const type = graph.types.get(from);
      if (type && to !== from) types.set(to, type);
      return { op: "Mul", domain: "", inputs: [from, by], outputs: [to], attrs: makeAttrs({}), origin: node.origin };
    };
    const rows = fresh(`${node.inputs[1]}/even`);
    const down = constant(
      `${state.input}/down`,
      factors.map((factor) => 1 / factor),
    );
    added.set(node, [scaled(node.inputs[1], down, rows)]);
    inputs.set(node, new Map([[1, rows]]));
    const up = constant(`${state.input}/up`, factors);
    if (kind === "keys") {
      const queries = fresh(`${product.inputs[0]}/even`);
      added.set(product, [...(added.get(product) ?? []), scaled(product.inputs[0], up, queries)]);
      inputs.set(product, new Map([[0, queries]]));
    } else {
      const even = fresh(`${product.outputs[0]}/even`);
      renamed.set(product.outputs[0], even);
      behind.set(product, [{ ...scaled(even, up, product.outputs[0]), origin: product.origin }]);
      const type = graph.types.get(product.outputs[0]);
      if (type) types.set(even, type);
    }
  });
  if (added.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    const own = inputs.get(node);
    const outputs = behind.has(node) ? node.outputs.map((name) => renamed.get(name) ?? name) : node.outputs;
    const read = own ? node.inputs.map((name, at) => own.get(at) ?? name) : node.inputs;
    return [...(added.get(node) ?? []), { ...node, inputs: read, outputs }, ...(behind.get(node) ?? [])];
  });
  return { ...graph, nodes, constants, types };
}

/** Zeros stay what they are whatever their channel is divided by. */
function isZero({ init }: State): boolean {
  return bytesOf(init).every((byte) => byte === 0);
}
