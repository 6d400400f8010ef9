/** Values whose channels may be scaled freely, since all that makes them and all that reads them can take the factors in. */
import { floatAttr, type Graph, intAttr, intsAttr, isStatic, type Node, typeOf } from "../ir/graph.ts";
import { readersOf } from "./annotate.ts";
import { fusionGroups, type Group, isReal } from "./groups.ts";

/** A value that a convolution or a product with constant weights sums over. */
export interface Reader {
  readonly node: Node;
  readonly value: string;
}

/**
 * Values that one factor a channel goes through: what convolutions make, and what sums, maxima and means of them, gates and
 * rectifiers make of that, up to the convolutions and products that read it.
 */
export interface Link {
  readonly channels: number;
  /** What convolutions make, in the order of the graph: there the factors enter. */
  readonly made: readonly string[];
  /** All values that are stored, the made ones among them. */
  readonly values: readonly string[];
  readonly readers: readonly Reader[];
  /** The nodes between, in the order of the graph, each with how many numbers it takes the mean of. */
  readonly passes: readonly { readonly from: readonly string[]; readonly to: string; readonly averaged: number }[];
}

/** How a node takes part in a link: it passes factors on from some inputs to its output, or takes them into its weights. */
type Role = { readonly from: readonly number[] } | "reads" | undefined;

/** Links of the graph, in the order in which their first values are made. */
export function findLinks(graph: Graph): Link[] {
  const { byAnchor } = fusionGroups(graph);
  const hidden = new Set([...byAnchor.values()].flatMap((group) => group.hidden));
  const parent = new Map<string, string>();
  const top = (name: string): string => {
    let at = name;
    while (parent.get(at) !== at) at = parent.get(at) as string;
    for (let walk = name; walk !== at; ) {
      const next = parent.get(walk) as string;
      parent.set(walk, at);
      walk = next;
    }
    return at;
  };
  const add = (name: string): string => {
    if (!parent.has(name)) parent.set(name, name);
    return top(name);
  };
  const made = new Map<string, string>();
  for (const node of graph.nodes) {
    const role = roleOf(graph, node);
    for (const name of node.outputs) if (name) add(name);
    if (isConvolution(graph, node)) {
      const group = byAnchor.get(node);
      if (scales(group)) made.set(group?.output ?? node.outputs[0], node.outputs[0]);
    } else if (role !== undefined && role !== "reads") {
      for (const at of role.from) parent.set(add(node.inputs[at]), add(node.outputs[0]));
    }
  }
  return collect(graph, { made, hidden, top: (name) => top(add(name)) });
}

interface Found {
  /** What a convolution's group stores. */
  readonly made: ReadonlyMap<string, string>;
  readonly hidden: ReadonlySet<string>;
  top(name: string): string;
}

function collect(graph: Graph, { made, hidden, top }: Found): Link[] {
  const fixed = new Set([
    ...graph.inputs,
    ...graph.outputs,
    ...graph.states.flatMap(({ input, output }) => [input, output]),
  ]);
  const readers = readersOf(graph);
  const members = new Map<string, string[]>();
  // What riding functions hide inside a convolution's group is behind its weights, and before the factors.
  const inside = new Set<string>();
  for (const [value, inner] of made) for (let at = inner; at !== value; ) at = onward(at);
  function onward(name: string): string {
    inside.add(name);
    return (readers.get(name) as Node[])[0].outputs[0];
  }
  for (const name of [...graph.inputs, ...graph.nodes.flatMap((node) => node.outputs)]) {
    if (!name || inside.has(name)) continue;
    const key = top(name);
    const list = members.get(key);
    if (list) list.push(name);
    else members.set(key, [name]);
  }
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name): [string, Node] => [name, node])));
  return [...members.values()].flatMap((names) => {
    const linkOf = (): Link | undefined => {
      const shape = typeOf(graph, names[0])?.shape;
      if (!isStatic(shape) || shape.length < 2) return undefined;
      const channels = shape[1];
      const found: Reader[] = [];
      const passes: Link["passes"][number][] = [];
      for (const name of names) {
        const type = typeOf(graph, name);
        if (fixed.has(name) || !type || type.quant || !isReal(type) || type.shape?.[1] !== channels) return undefined;
        const maker = makers.get(name) as Node;
        const role = roleOf(graph, maker);
        if (!made.has(name)) {
          if (role === undefined || role === "reads") return undefined;
          passes.push({ from: role.from.map((at) => maker.inputs[at]), to: name, averaged: averagedBy(graph, maker) });
        }
        const all = readers.get(name) ?? [];
        if (all.length === 0) return undefined;
        for (const node of all) {
          const reads = roleOf(graph, node);
          if (reads === undefined) return undefined;
          if (reads === "reads") found.push({ node, value: name });
          else if (!reads.from.every((at) => top(node.inputs[at]) === top(name))) return undefined;
          else if (!reads.from.some((at) => node.inputs[at] === name)) return undefined;
        }
      }
      const own = names.filter((name) => made.has(name));
      if (own.length === 0 || found.length === 0) return undefined;
      return { channels, made: own, values: names.filter((name) => !hidden.has(name)), readers: found, passes };
    };
    return linkOf() ?? [];
  });
}

function isConvolution(graph: Graph, node: Node): boolean {
  return node.op === "Conv" && node.domain === "" && graph.constants.has(node.inputs[1]);
}

/** Bounds other than zero would differ from channel to channel, and factors are there at most once. */
function scales(group: Group | undefined): boolean {
  const riding = group?.riding;
  if (riding === undefined) return true;
  return !riding.gains && (riding.kind !== "clamp" || keepsUnderGain(riding));
}

/** A clamp whose bounds stay what they are under a positive factor. */
export function keepsUnderGain({ low, high }: { readonly low: number; readonly high: number }): boolean {
  return (low === 0 || low === Number.NEGATIVE_INFINITY) && high === Number.POSITIVE_INFINITY;
}

const POOLS = new Set(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"]);

function averagedBy(graph: Graph, node: Node): number {
  if (node.op === "AveragePool")
    return (intsAttr(node, "kernel_shape") ?? []).reduce((product, size) => product * size, 1);
  const spatial = node.op === "GlobalAveragePool" ? typeOf(graph, node.inputs[0])?.shape?.slice(2) : undefined;
  return (spatial ?? []).reduce<number>((product, size) => product * Number(size), 1);
}

function roleOf(graph: Graph, node: Node): Role {
  if (node.domain !== "") return undefined;
  const computed = (at: number) => Boolean(node.inputs[at]) && !graph.constants.has(node.inputs[at]);
  const shape = (name: string) => typeOf(graph, name)?.shape;
  const [out] = node.outputs;
  const whole = (at: number) => String(shape(node.inputs[at])) === String(shape(out));
  if (node.op === "Conv") return computed(0) && isPlain(graph, node) ? "reads" : undefined;
  if (node.op === "Gemm") {
    const rows =
      shape(node.inputs[0])?.length === 2 && intAttr(node, "transA", 0) === 0 && floatAttr(node, "alpha", 1) > 0;
    return computed(0) && rows && isPlain(graph, node) ? "reads" : undefined;
  }
  if (node.outputs.filter((name) => name !== "").length !== 1) return undefined;
  if (node.op === "Add") return computed(0) && computed(1) && whole(0) && whole(1) ? { from: [0, 1] } : undefined;
  if (node.op === "Relu" || POOLS.has(node.op)) return computed(0) ? { from: [0] } : undefined;
  if (node.op === "Mul") return gateOf(graph, node);
  if (node.op !== "Flatten" && node.op !== "Reshape" && node.op !== "Squeeze") return undefined;
  // Of [N, C, 1, 1] the same numbers in fewer dimensions.
  const [from, to] = [shape(node.inputs[0]), shape(out)];
  const flat = isStatic(from) && isStatic(to) && to.length === 2 && from.length > 2;
  return computed(0) && flat && from.slice(2).every((size) => size === 1) && to[1] === from[1]
    ? { from: [0] }
    : undefined;
}

/** A product of a value with a number a channel (squeeze and excitation) passes the value's factors on, not the number's. */
function gateOf(graph: Graph, node: Node): Role {
  const shapes = node.inputs.map((name) => typeOf(graph, name)?.shape);
  if (node.inputs.some((name) => graph.constants.has(name)) || !shapes.every(isStatic)) return undefined;
  const spatial = (shape: readonly number[]) => shape.slice(2).some((size) => size !== 1);
  const [a, b] = shapes as (readonly number[])[];
  if (a.length !== b.length || a.length < 3 || spatial(a) === spatial(b)) return undefined;
  return { from: [spatial(a) ? 0 : 1] };
}

/** Weights that are constant real numbers, which nothing else in the node is. */
function isPlain(graph: Graph, node: Node): boolean {
  const weights = graph.constants.get(node.inputs[1]);
  return weights !== undefined && !weights.quant && node.inputs.indexOf(node.inputs[0], 1) < 0;
}
