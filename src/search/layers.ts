/** What a search decides: how each layer's weights are stored, and the values between layers that can only be stored in one way. */
import type { Graph, Node } from "../ir/graph.ts";
import { valueClasses } from "../quant/classes.ts";
import { FORMATS } from "../quant/format.ts";
import { ARRAY } from "../quant/formats.ts";
import { fusionGroups } from "../quant/groups.ts";
import { type Layer, linearLayers } from "../quant/rounding/layers.ts";

/** The name of a format, as recipes have it. */
export type FormatName = keyof typeof FORMATS;
export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[];

/** Formats that a search chooses from. Activations of 4 bits want training, so only a recipe gives them. */
export type SearchedFormat = Exclude<FormatName, `${string}A4`>;
export const SEARCHED_FORMATS = FORMAT_NAMES.filter((name): name is SearchedFormat => !name.endsWith("A4"));

/** A layer of whose formats one is chosen. */
export interface SearchLayer {
  /** What people call it: of its teacher's nodes the one that does the work. */
  readonly name: string;
  /** Names that stand for this layer alone in `quantize.formats`, all of its nodes. */
  readonly keys: readonly string[];
  /** The constant; absent where only the bits of what the layer reads can be chosen. */
  readonly weights?: string;
  /** Places of its nodes in the graph. */
  readonly nodes: readonly number[];
  readonly parameters: number;
  /** What stores its input. */
  readonly group: number;
}

/** Values that operators only move between, and layers that read them: all of them are stored in 8 bits, or in 16. */
export interface ValueGroup {
  /** Where the numbers are new. */
  readonly roots: readonly string[];
  readonly layers: readonly number[];
}

export interface SearchSpace {
  readonly layers: readonly SearchLayer[];
  readonly groups: readonly ValueGroup[];
}

/** What `searchSpace` knows of a layer before it has a name. */
type Found = Pick<Layer, "nodes" | "rows" | "depth"> & { readonly weights?: string };

/**
 * What the array does besides: products of two values, whose left one may have 16 bits (the columns take 8, and the weights of a Softmax
 * are unsigned), and transposed convolutions in groups, which have no packed weights.
 */
function valueLayers(graph: Graph, known: readonly Layer[]): Found[] {
  const own = new Set(known.flatMap(({ nodes }) => nodes));
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name): [string, Node] => [name, node])));
  return graph.nodes.flatMap((node): Found[] => {
    const [left, right] = node.inputs;
    const isFree = node.domain === "" && !own.has(node) && !graph.constants.has(left);
    const isProduct = node.op === "MatMul" && !graph.constants.has(right) && makers.get(left)?.op !== "Softmax";
    return isFree && (isProduct || node.op === "ConvTranspose") ? [{ nodes: [node], rows: 0, depth: 0 }] : [];
  });
}

/**
 * The layers of a float graph that has come to the passes that quantize: Conv, ConvTranspose, Gemm and MatMul. Of those without weights
 * that could have 4 bits only the bits of what they read are chosen.
 */
export function searchSpace(graph: Graph): SearchSpace {
  const places = new Map(graph.nodes.map((node, at) => [node, at]));
  const weighed = linearLayers(graph);
  const found: readonly Found[] = [...weighed, ...valueLayers(graph, weighed)];
  const hidden = new Set([...fusionGroups(graph).byAnchor.values()].flatMap((group) => group.hidden));
  const classes = valueClasses(graph, hidden);
  const own = found.map(({ nodes }) => nodes.flatMap((node) => classes.get(node.inputs[0]) ?? []));
  const groupOf = unite(own);
  const groups = Array.from({ length: Math.max(-1, ...groupOf) + 1 }, () => ({
    roots: new Set<string>(),
    layers: [] as number[],
  }));
  for (const [at, group] of groupOf.entries()) {
    groups[group].layers.push(at);
    for (const root of own[at].flatMap(({ roots }) => roots)) groups[group].roots.add(root);
  }
  const names = namesOf(graph);
  const layers = found.map(({ weights, nodes, rows, depth }, at): SearchLayer => {
    const keys = [...new Set(nodes.map((node) => keyOf(node, nodes, names)))];
    const spots = nodes.map((node) => places.get(node) as number);
    const parameters = rows * depth;
    return { name: keys[0], keys, ...(weights && { weights }), nodes: spots, parameters, group: groupOf[at] };
  });
  return { layers, groups: groups.map(({ roots, layers: own }) => ({ roots: [...roots], layers: own })) };
}

/** Lists that share an element have one number, in the order of the lists. */
function unite(lists: readonly (readonly object[])[]): number[] {
  const parent = lists.map((_, at) => at);
  const top = (at: number): number => {
    let up = at;
    while (parent[up] !== up) up = parent[up];
    return up;
  };
  const first = new Map<object, number>();
  for (const [at, list] of lists.entries()) {
    for (const element of list) {
      const other = first.get(element);
      if (other === undefined) first.set(element, at);
      else parent[Math.max(top(at), top(other))] = Math.min(top(at), top(other));
    }
  }
  const numbers = new Map<number, number>();
  return lists.map((_, at) => {
    const root = top(at);
    const number = numbers.get(root) ?? numbers.size;
    numbers.set(root, number);
    return number;
  });
}

/** Every name that `quantize.formats` would find a node of the array by → those nodes. */
function namesOf(graph: Graph): Map<string, Node[]> {
  const names = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    if (node.domain !== "" || !ARRAY.has(node.op)) continue;
    for (const name of new Set([...node.origin, ...node.outputs])) {
      const list = names.get(name);
      if (list) list.push(node);
      else names.set(name, [node]);
    }
  }
  return names;
}

/** A name of the node's that no other layer has: a teacher's node with the operator in its name before others, a value at last. */
function keyOf(node: Node, nodes: readonly Node[], names: ReadonlyMap<string, readonly Node[]>): string {
  const isOwn = (name: string) => !name.includes("*") && names.get(name)?.every((other) => nodes.includes(other));
  const own = node.origin.filter(isOwn);
  const operators = node.op === "Gemm" ? ["gemm", "matmul"] : [node.op.toLowerCase()];
  const telling = own.find((name) => operators.some((operator) => name.toLowerCase().includes(operator)));
  return telling ?? own[0] ?? node.outputs[0];
}

/** A plan as `quantize.formats` says it; layers in `usual` are left out. */
export function formatsOf(
  { layers }: SearchSpace,
  plan: readonly FormatName[],
  usual: FormatName = "W8A8",
): Record<string, FormatName> {
  return Object.fromEntries(
    layers.flatMap(({ keys }, at) => (plan[at] === usual ? [] : keys.map((key) => [key, plan[at]]))),
  );
}
