/**
 * Wide values of a step in tiles of channels. What lies beyond a core's cache costs an elementwise operator three to four times what it
 * costs inside; between the products that make a feed-forward part's wide values and those that take them, a few channels of
 * all places at a time stay there. In blocks of channels a tile is one piece of memory, filters that make one are cut as they lie,
 * and products that sum over the channels add tile after tile to one result.
 */
import { bug } from "../error.ts";
import {
  type Attrs,
  attrs,
  type Graph,
  intAttr,
  intsAttr,
  isStatic,
  type Node,
  type Tensor,
  typeOf,
} from "../ir/graph.ts";
import { numbersOf, valuesOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { type Draft, draftOf, ELEMENTWISE, graphOf, isOneNumber, type Put, putting } from "./drafting.ts";
import { BLOCKED_DOMAIN } from "./layout.ts";

/** Bytes of a tile at most: a few of them and the filters that make or take one fit into a core's second cache. */
const TILE_BYTES = 512 * 1024;

/** Channels of a tile at least, in blocks: the kernels make so many blocks at a time. */
const LEAST_BLOCKS = 4;

interface Tiles extends Draft {
  /** Of a value that was made in tiles, or of such a value read as filters: the names of the tiles, by channels. */
  readonly tiles: Map<string, readonly string[]>;
}

/**
 * The same graph with the wide values between its products in blocks (`withBlockedProducts`) made and read in tiles of at most
 * so many bytes. Additions are in the order of the tiles.
 */
export function withTiles(graph: Graph, block: number, bytes = TILE_BYTES): Graph {
  const draft: Tiles = { ...draftOf(graph, block), tiles: new Map() };
  const wide = wideValues(draft, bytes);
  if (wide.size === 0) return graph;
  for (const node of graph.nodes) {
    const count = wide.get(node.outputs[0]);
    const [first, second] = node.inputs.map((name) => draft.tiles.get(name));
    if (count !== undefined)
      draft.tiles.set(node.outputs[0], isProduct(node) ? made(draft, node, count) : each(draft, node, count));
    else if (isProduct(node) && first !== undefined) summed(draft, node, first);
    else if (isProduct(node) && second !== undefined) filtered(draft, node, second);
    else if (first !== undefined) draft.tiles.set(node.outputs[0], turned(draft, node, first));
    else draft.nodes.push(node);
  }
  return graphOf(draft);
}

/** A product of matrices: a convolution in blocks by kernels of one place. */
function isProduct(node: Node): boolean {
  const pointwise = intsAttr(node, "kernel_shape")?.every((size) => size === 1) ?? false;
  return node.op === "Conv" && node.domain === BLOCKED_DOMAIN && pointwise && intAttr(node, "group", 1) === 1;
}

/** Each channel times its constant, and something added. */
function isScaledSum({ graph }: Draft, node: Node): boolean {
  const alone = node.op === "Conv" && node.domain === BLOCKED_DOMAIN && intAttr(node, "group", 1) > 1;
  return alone && node.inputs.length === 4 && node.inputs[2] === "" && graph.constants.has(node.inputs[1]);
}

/** [1, channels, …places] of a value in blocks of channels. */
function shapeIn(graph: Graph, name: string): readonly number[] | undefined {
  const type = typeOf(graph, name);
  return type?.dtype === "float32" && isStatic(type.shape) && type.shape.length === 4 ? type.shape : undefined;
}

/** In how many tiles a value is made: undefined where it is small, or cannot be cut so that tiles are small and products long. */
function tilesOf([, channels, ...places]: readonly number[], block: number, most: number): number | undefined {
  const bytes = 4 * channels * places.reduce((a, b) => a * b, 1);
  const blocks = channels / block;
  for (let count = Math.ceil(bytes / most); count <= blocks / LEAST_BLOCKS; count++) {
    if (blocks % count === 0) return count > 1 ? count : undefined;
  }
  return undefined;
}

/** The values to tile, with the number of their tiles: products and what is made of them element by element, all of whose readers take tiles. */
function wideValues(draft: Draft, bytes: number): Map<string, number> {
  const wide = candidates(draft, bytes);
  const readers = new Map<string, Node[]>();
  for (const node of draft.graph.nodes) {
    for (const name of readsOf(node)) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  for (let changed = true; changed; ) {
    const lost = [...wide.keys()].filter((name) => !stays({ draft, wide, readers }, name));
    for (const name of lost) wide.delete(name);
    changed = lost.length > 0;
  }
  return wide;
}

/** What could be made in tiles, whoever reads it. */
function candidates(draft: Draft, bytes: number): Map<string, number> {
  const wide = new Map<string, number>();
  for (const node of draft.graph.nodes) {
    const [y] = node.outputs;
    const shape = shapeIn(draft.graph, y);
    const count = shape && tilesOf(shape, draft.block, bytes);
    if (count === undefined) continue;
    const alike = (name: string): boolean => wide.has(name) && shapeIn(draft.graph, name)?.join() === shape?.join();
    const root = isProduct(node) && node.inputs.length < 4 && !wide.has(node.inputs[0]);
    const parts = partsOf(draft, node);
    if (root || (parts.length > 0 && parts.every(alike))) wide.set(y, count);
  }
  return wide;
}

/** What a node works on element by element; nothing where it does not. */
function partsOf(draft: Draft, node: Node): string[] {
  if (isScaledSum(draft, node)) return [node.inputs[0], node.inputs[3]];
  const each = node.domain === "" && ELEMENTWISE.has(node.op);
  return each ? node.inputs.filter((name) => !isOneNumber(draft, name)) : [];
}

interface Wide {
  readonly draft: Draft;
  readonly wide: ReadonlyMap<string, number>;
  readonly readers: ReadonlyMap<string, readonly Node[]>;
}

/** Can a value be made in tiles, and does everything that reads it take tiles? A product that nothing works on has nothing to gain. */
function stays(given: Wide, name: string): boolean {
  const { draft, wide, readers } = given;
  const maker = draft.makers.get(name);
  const read = readers.get(name) ?? [];
  if (maker === undefined || draft.graph.outputs.includes(name)) return false;
  if (!read.every((node) => takes(given, node, name))) return false;
  return isProduct(maker)
    ? read.some((node) => wide.has(node.outputs[0]))
    : partsOf(draft, maker).every((part) => wide.has(part));
}

/** Does a node take a wide value in tiles: element by element, to sum over its channels, or as filters? */
function takes({ draft, wide, readers }: Wide, node: Node, name: string): boolean {
  const [y] = node.outputs;
  if (wide.has(y)) return !isProduct(node);
  if (isProduct(node)) {
    return node.inputs.lastIndexOf(name) === 0 && draft.makers.get(node.inputs[1])?.op === "Reshape";
  }
  if (node.op !== "Reshape" || node.domain !== "" || draft.graph.outputs.includes(y)) return false;
  return (readers.get(y) ?? []).every((by) => {
    return isProduct(by) && by.inputs.length === 2 && by.inputs[1] === y && !wide.has(by.inputs[0]);
  });
}

/** A value that `from` reads cut along an axis into `count` parts of one size. */
function cut(
  draft: Draft,
  from: Node,
  name: string,
  { size, count, axis }: { size: number; count: number; axis: number },
): string[] {
  const put = putting(draft, from);
  const outputs = Array.from({ length: count }, () => put.fresh("tile"));
  const inputs = [name, put.list(...outputs.map(() => size))];
  const attributes = attrs({ axis: { i: axis } });
  draft.nodes.push({ op: "Split", domain: "", inputs, outputs, attrs: attributes, origin: from.origin });
  return outputs;
}

/** The product's tiles: filters of some channels each. */
function made(draft: Tiles, node: Node, count: number): string[] {
  const put = putting(draft, node);
  const [x, filters, bias] = node.inputs;
  const size = channelsOf(draft, node.outputs[0]) / count;
  const parts = cut(draft, node, filters, { size, count, axis: 0 });
  const biases = bias ? cut(draft, node, bias, { size, count, axis: 0 }) : [];
  return parts.map((part, at) => again(put, node, [x, part, ...(bias ? [biases[at]] : [])]));
}

/** An elementwise operator on each tile. */
function each(draft: Tiles, node: Node, count: number): string[] {
  const put = putting(draft, node);
  const size = channelsOf(draft, node.outputs[0]) / count;
  return Array.from({ length: count }, (_, at) => {
    const inputs = node.inputs.map((name) => draft.tiles.get(name)?.[at] ?? name);
    if (!isScaledSum(draft, node)) return again(put, node, inputs);
    const factors = valuesOf(draft.graph.constants.get(node.inputs[1]) as Tensor) as Float32Array;
    const part = { dtype: "float32", shape: [size, 1, 1, 1], data: factors.slice(at * size, (at + 1) * size) } as const;
    return again(
      put,
      node,
      [inputs[0], put.constant(part), "", inputs[3]],
      new Map(node.attrs).set("group", { i: size }),
    );
  });
}

/** A product that sums over the tiles' channels: each tile's is added to those before it. */
function summed(draft: Tiles, node: Node, tiles: readonly string[]): void {
  const put = putting(draft, node);
  const [x, filters, ...added] = node.inputs;
  const [rows, columns] = [channelsOf(draft, node.outputs[0]), channelsOf(draft, x)];
  const { block } = draft;
  const lanes = put.reshape(filters, [rows / block, columns / block, block * block]);
  const count = tiles.length;
  const parts = cut(draft, node, lanes, { size: columns / block / count, count, axis: 1 });
  let sum = "";
  for (const [at, tile] of tiles.entries()) {
    const part = put.reshape(parts[at], [rows, columns / count, 1, 1]);
    const inputs = [tile, part, ...(at === 0 ? added : ["", sum])];
    sum = again(put, node, inputs, node.attrs, at === count - 1 ? node.outputs[0] : undefined);
  }
}

/** A product by filters that a wide value is read as gives its channels in tiles. */
function filtered(draft: Tiles, node: Node, tiles: readonly string[]): void {
  const put = putting(draft, node);
  const parts = tiles.map((tile) => again(put, node, [node.inputs[0], tile]));
  put("Concat", parts, { attributes: { axis: { i: 1 } }, output: node.outputs[0] });
}

/** A wide value's tiles as filters. */
function turned(draft: Tiles, node: Node, tiles: readonly string[]): string[] {
  const put = putting(draft, node);
  const [filters, ...rest] = numbersOf(draft.graph.constants.get(node.inputs[1]) as Tensor).map(Number);
  return tiles.map((tile) => put.reshape(tile, [filters / tiles.length, ...rest]));
}

function channelsOf({ graph }: Draft, name: string): number {
  return shapeIn(graph, name)?.[1] ?? bug(`"${name}" does not lie in blocks`);
}

/** The node once more, with other inputs. */
function again(put: Put, node: Node, inputs: readonly string[], by: Attrs = node.attrs, output?: string): string {
  const attributes = Object.fromEntries(by);
  return put(node.op, inputs, { attributes, domain: node.domain, ...(output === undefined ? {} : { output }) });
}
