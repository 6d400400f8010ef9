/**
 * Attention one head at a time. Shares of all heads are written to memory, and read from there, by each of the way back's
 * operators: a core's cache holds those of one head. What lies by heads is never cut from its neighbours either: with the
 * heads' axis gone, [batch, place, head, channel] and [batch, head, place, channel] are the same tensor, so a head's queries, keys
 * and values are channels that are cut out once, and what is turned for all heads together need not be turned at all.
 *
 * It starts where an attention is (causal.ts) and goes on as long as operators work on each head by itself.
 */
import { attrs, type Graph, intAttr, intsAttr, type Node, type Type } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { RUNTIME_DOMAIN } from "./causal.ts";
import { type Draft, draftOf, ELEMENTWISE, graphOf, isOneNumber, type Put, putting, shapeOf } from "./drafting.ts";

/** Eight images of 128 places have twice as many a head and gain 5 % of a step; eight of 64 places, with a quarter, lose 2 %. */
const LEAST_SHARES = 1 << 16;
/** A value's makers are gone back through to find where it is cut best; no further than this. */
const MOST_MAKERS = 8;

/**
 * A value cut along an axis, one piece a head. The axis is gone from the pieces where it had one place a head; where it had more,
 * [batch, place, head · channel], the pieces have a head's.
 */
interface Apart {
  /** Of the value in one. */
  readonly shape: readonly number[];
  readonly axis: number;
  readonly pieces: readonly string[];
}

interface Heads extends Draft {
  readonly apart: Map<string, Apart>;
  /** By value, axis and number of pieces: what the graph as it was made in one, cut. */
  readonly cuts: Map<string, Apart>;
  /** By value, begin and end: one piece. */
  readonly slices: Map<string, string>;
  /** By head: nodes to come, so that one head is done with before the next. */
  readonly coming: Node[][];
  readonly whole: Set<string>;
  readonly types: Map<string, Type>;
}

/**
 * A step's graph with its causal attentions, and what follows from them for each head, head by head, where a head has at
 * least `least` shares. float32, shapes known.
 */
export function withHeadsApart(graph: Graph, least = LEAST_SHARES): Graph {
  const draft: Heads = {
    ...draftOf(graph),
    ...{ apart: new Map(), cuts: new Map(), slices: new Map(), coming: [], whole: new Set(), types: new Map() },
  };
  for (const node of graph.nodes) {
    if (attention(draft, node, least) || joined(draft, node) || headByHead(draft, node)) continue;
    for (const name of readsOf(node)) inOne(draft, name);
    draft.nodes.push(node);
  }
  for (const name of [...graph.outputs, ...graph.states.map(({ output }) => output)]) inOne(draft, name);
  if (draft.apart.size === 0) return graph;
  return graphOf({ ...draft, graph: { ...graph, types: new Map([...graph.types, ...draft.types]) } });
}

/** A value's shape, if need be as the Reshape that makes it says; empty where it is not known. */
function sizesOf(draft: Heads, name: string): readonly number[] {
  const known = shapeOf(draft, name);
  const maker = draft.makers.get(name);
  if (known.length > 0 || maker?.op !== "Reshape" || maker.domain !== "") return known;
  const given = draft.graph.constants.get(maker.inputs[1] ?? "");
  const sizes = given === undefined ? [] : numbersOf(given).map(Number);
  return sizes.every((size) => size > 0) ? sizes : [];
}

/** Adds nodes to those of one head. */
function forHead(draft: Heads, head: number, from: Node): Put {
  while (draft.coming.length <= head) draft.coming.push([]);
  return putting({ ...draft, nodes: draft.coming[head] }, from);
}

function pieceShape(shape: readonly number[], axis: number, count: number): number[] {
  return shape[axis] === count ? shape.toSpliced(axis, 1) : shape.with(axis, shape[axis] / count);
}

/** Nodes that make a value's pieces, one a head. */
function inPieces(
  draft: Heads,
  from: Node,
  { shape, axis, count }: { shape: readonly number[]; axis: number; count: number },
  make: (put: Put, head: number) => string,
): Apart {
  const type: Type = { dtype: "float32", shape: pieceShape(shape, axis, count) };
  const pieces = Array.from({ length: count }, (_, head) => {
    const name = make(forHead(draft, head, from), head);
    if (!draft.types.has(name)) draft.types.set(name, type);
    return name;
  });
  return { shape, axis, pieces };
}

/** An attention under a causal mask: one of one head for each of its heads. */
function attention(draft: Heads, node: Node, least: number): boolean {
  if (node.op !== "GroupQueryAttention" || node.domain !== RUNTIME_DOMAIN) return false;
  const [joint, keys, values, shares] = node.outputs;
  const [batch, heads, places] = shapeOf(draft, shares ?? "");
  if (heads === undefined || heads < 2 || intAttr(node, "kv_num_heads", 0) !== heads) return false;
  if (batch * places * places < least || node.inputs[3] !== "" || node.inputs[4] !== "") return false;
  const three = threeOf(draft, node, heads);
  if (three === undefined) return false;
  const channels = three[0].shape[2] / heads;
  const four = Array.from({ length: heads }, (_, head) => {
    const put = forHead(draft, head, node);
    const [y, p] = [put.fresh("attention"), put.fresh("shares")];
    draft.coming[head].push({
      ...node,
      inputs: [...three.map(({ pieces }) => pieces[head]), ...node.inputs.slice(3)],
      outputs: [y, "", "", p],
      attrs: new Map([...node.attrs, ...attrs({ num_heads: { i: 1 }, kv_num_heads: { i: 1 } })]),
    });
    return [y, p];
  });
  const of = (...shape: number[]) => ({ shape, axis: 1, count: heads });
  draft.apart.set(
    joint,
    inPieces(draft, node, { ...of(batch, places, heads * channels), axis: 2 }, (_, h) => four[h][0]),
  );
  const flat = [batch, places, places];
  const made = inPieces(draft, node, of(batch, heads, places, places), (put, h) => put.reshape(four[h][1], flat));
  draft.apart.set(shares, made);
  const byHeads = of(batch, heads, places, channels);
  draft.apart.set(keys, { ...byHeads, pieces: three[1].pieces });
  draft.apart.set(values, { ...byHeads, pieces: three[2].pieces });
  return true;
}

/** A head's queries, keys and values, from three values or from one that has all three. */
function threeOf(draft: Heads, node: Node, heads: number): Apart[] | undefined {
  const [first, ...others] = node.inputs.slice(0, 3);
  if (others[0] !== "") {
    const all = [first, ...others].map((name) => cut(draft, name, 2, heads));
    return all.every((each) => each !== undefined) ? all : undefined;
  }
  const [batch, places, together] = shapeOf(draft, first);
  if (together === undefined || together % (3 * heads) !== 0) return undefined;
  const shape = [batch, places, together / 3];
  return [0, 1, 2].map((part) => sliced(draft, node, first, { shape, axis: 2, count: heads }, (part * together) / 3));
}

/** Pieces of what lies in one from `begin` on. */
function sliced(
  draft: Heads,
  from: Node,
  name: string,
  as: { shape: readonly number[]; axis: number; count: number },
  begin = 0,
): Apart {
  const { shape, axis, count } = as;
  const size = shape[axis] / count;
  return inPieces(draft, from, as, (put, head) => {
    const [low, high] = [begin + head * size, begin + (head + 1) * size];
    const key = JSON.stringify([name, axis, low, high]);
    const piece = (): string => {
      const made = put("Slice", [name, put.list(low), put.list(high), put.list(axis)]);
      return shape[axis] === count ? put.reshape(made, pieceShape(shape, axis, count)) : made;
    };
    const known = draft.slices.get(key) ?? piece();
    draft.slices.set(key, known);
    return known;
  });
}

/** A value in pieces along an axis: as they are, or made from pieces of what it was made of, or cut. */
function cut(draft: Heads, name: string, axis: number, count: number, deep = 0): Apart | undefined {
  const known = draft.apart.get(name);
  if (known !== undefined) return known.axis === axis && known.pieces.length === count ? known : undefined;
  const key = JSON.stringify([name, axis, count]);
  const before = draft.cuts.get(key);
  if (before !== undefined) return before;
  const shape = sizesOf(draft, name);
  if (shape.length <= axis || shape[axis] % count !== 0 || shape[axis] === 0) return undefined;
  const maker = draft.makers.get(name);
  const found =
    (maker && deep < MOST_MAKERS ? further(draft, maker, axis, count, deep) : undefined) ??
    sliced(draft, maker ?? nothing(name), name, { shape, axis, count });
  draft.cuts.set(key, found);
  return found;
}

function nothing(name: string): Node {
  return { op: "", domain: "", inputs: [], outputs: [name], attrs: new Map(), origin: [] };
}

/** Pieces of a node's output from pieces of what it only lays out anew. */
function further(draft: Heads, node: Node, axis: number, count: number, deep: number): Apart | undefined {
  if (node.domain !== "") return undefined;
  const [source] = node.inputs;
  const shape = sizesOf(draft, node.outputs[0]);
  if (node.op === "Transpose") {
    const from = intsAttr(node, "perm")?.[axis];
    const made = from === undefined ? undefined : cut(draft, source, from, count, deep + 1);
    return made && turned(draft, node, made);
  }
  if (node.op === "Reshape") {
    const from = sameCut(shape, axis, count, sizesOf(draft, source));
    const made = from === undefined ? undefined : cut(draft, source, from, count, deep + 1);
    return made && reshaped(draft, node, made);
  }
  if (node.op === "Mul" && shape[axis] === count) {
    const at = node.inputs.findIndex((name) => isOneNumber(draft, name));
    const made = at < 0 ? undefined : cut(draft, node.inputs[1 - at], axis, count, deep + 1);
    return made && elementwise(draft, node, made);
  }
  if (node.op === "Slice" && shape[axis] !== count) {
    const [begin, end, axes, steps] = node.inputs.slice(1).map((name) => draft.graph.constants.get(name));
    const numbers = [begin, end, axes].map((tensor) => (tensor === undefined ? [] : numbersOf(tensor)));
    if (steps !== undefined || numbers.some(({ length }) => length !== 1) || numbers[2][0] !== axis) return undefined;
    const low = Number(numbers[0][0]);
    return low < 0 ? undefined : sliced(draft, node, source, { shape, axis, count }, low);
  }
  return undefined;
}

/** The axis along which a reshaped value is cut into the same elements. */
function sameCut(from: readonly number[], axis: number, count: number, to: readonly number[]): number | undefined {
  const before = (shape: readonly number[], at: number): number => shape.slice(0, at).reduce((a, b) => a * b, 1);
  const found = to.findIndex((size, at) => size % count === 0 && before(to, at) === before(from, axis));
  return found < 0 || from.length === 0 || to.includes(0) ? undefined : found;
}

/** Joins the pieces of a value that something reads in one. */
function inOne(draft: Heads, name: string): void {
  const found = draft.apart.get(name);
  if (found === undefined || draft.whole.has(name)) return;
  draft.whole.add(name);
  putDown(draft);
  const { shape, axis, pieces } = found;
  const put = putting(draft, draft.makers.get(name) ?? nothing(name));
  const lone = shape.with(axis, 1);
  const parts = shape[axis] === pieces.length ? pieces.map((piece) => put.reshape(piece, lone)) : pieces;
  put("Concat", parts, { attributes: { axis: { i: axis } }, output: name });
}

/** Adds the nodes to come, head by head. */
function putDown(draft: Heads): void {
  for (const nodes of draft.coming) draft.nodes.push(...nodes.splice(0));
}

/** A Concat of values in pieces is one of all their pieces. */
function joined(draft: Heads, node: Node): boolean {
  const parts = node.inputs.map((name) => draft.apart.get(name));
  if (node.op !== "Concat" || node.domain !== "" || parts.length < 2) return false;
  const axis = intAttr(node, "axis", 0);
  const fits = (part: Apart | undefined): part is Apart =>
    part !== undefined && axis === part.axis && part.shape[axis] !== part.pieces.length;
  if (!parts.every(fits)) return false;
  putDown(draft);
  draft.nodes.push({ ...node, inputs: parts.flatMap(({ pieces }) => pieces) });
  return true;
}

/** A node that works on each head by itself, once for each. */
function headByHead(draft: Heads, node: Node): boolean {
  const first = node.inputs.map((name) => draft.apart.get(name)).find((found) => found !== undefined);
  if (first === undefined || node.outputs.length !== 1) return false;
  const made = resultOf(draft, node, first);
  if (made === undefined) return false;
  draft.apart.set(node.outputs[0], made);
  return true;
}

function resultOf(draft: Heads, node: Node, first: Apart): Apart | undefined {
  if (node.op === "FusedMatMul" && node.domain === RUNTIME_DOMAIN) return product(draft, node, first);
  if (node.domain !== "") return undefined;
  // What is there in one already is not put together twice.
  if (node.op === "Reshape") return draft.whole.has(node.inputs[0]) ? undefined : reshaped(draft, node, first);
  // From here on the heads' axis must be one by itself.
  if (first.shape[first.axis] !== first.pieces.length) return undefined;
  if (ELEMENTWISE.has(node.op)) return elementwise(draft, node, first);
  if (node.op === "MatMul") return product(draft, node, first);
  if (node.op === "Transpose") return turned(draft, node, first);
  return node.op === "ReduceSum" ? summed(draft, node, first) : undefined;
}

function reshaped(draft: Heads, node: Node, { shape, axis, pieces }: Apart): Apart | undefined {
  const count = pieces.length;
  const to = sizesOf(draft, node.outputs[0]);
  const along = sameCut(shape, axis, count, to);
  if (along === undefined) return undefined;
  const [before, after] = [pieceShape(shape, axis, count), pieceShape(to, along, count)];
  if (before.join() === after.join()) return { shape: to, axis: along, pieces };
  return inPieces(draft, node, { shape: to, axis: along, count }, (put, head) => put.reshape(pieces[head], after));
}

function turned(draft: Heads, node: Node, { shape, axis, pieces }: Apart): Apart | undefined {
  const order = intsAttr(node, "perm");
  const count = pieces.length;
  if (order?.length !== shape.length || shape[axis] !== count) return undefined;
  const result = { shape: order.map((from) => shape[from]), axis: order.indexOf(axis), count };
  const left = without(order, axis);
  if (left.every((from, to) => from === to)) return { ...result, pieces };
  return inPieces(draft, node, result, (put, head) => put.transpose(pieces[head], left));
}

/** Axes, less that of the heads. */
function without(axes: readonly number[], gone: number): number[] {
  return axes.filter((axis) => axis !== gone).map((axis) => (axis > gone ? axis - 1 : axis));
}

function elementwise(draft: Heads, node: Node, { shape, axis, pieces }: Apart): Apart | undefined {
  const count = pieces.length;
  const rank = shape.length;
  const parts = node.inputs.map((name) => {
    if (isOneNumber(draft, name)) return (draft.graph.constants.get(name)?.shape.length ?? 0) < rank ? name : undefined;
    const part = cut(draft, name, axis, count);
    return part?.shape.length === rank && part.shape[axis] === count ? part : undefined;
  });
  if (parts.includes(undefined)) return undefined;
  const shapes = parts.flatMap((part) => (typeof part === "object" ? [part.shape] : []));
  const result = { shape: shape.map((_, at) => Math.max(...shapes.map((each) => each[at]))), axis, count };
  const attributes = Object.fromEntries(node.attrs);
  return inPieces(draft, node, result, (put, head) =>
    put(
      node.op,
      parts.map((part) => (typeof part === "object" ? part.pieces[head] : (part ?? ""))),
      { attributes },
    ),
  );
}

function product(draft: Heads, node: Node, { axis, pieces }: Apart): Apart | undefined {
  const count = pieces.length;
  const [a, b] = node.inputs.map((name) => cut(draft, name, axis, count));
  if (a === undefined || b === undefined || a.shape.length !== b.shape.length || axis >= a.shape.length - 2) {
    return undefined;
  }
  const batch = a.shape.slice(0, -2);
  const same = batch.join() === b.shape.slice(0, -2).join() && batch[axis] === count;
  if (!same || ["transBatchA", "transBatchB"].some((name) => intAttr(node, name, 0) !== 0)) return undefined;
  const rows = a.shape.at(intAttr(node, "transA", 0) === 1 ? -1 : -2) ?? 0;
  const columns = b.shape.at(intAttr(node, "transB", 0) === 1 ? -2 : -1) ?? 0;
  const options = { attributes: Object.fromEntries(node.attrs), domain: node.domain };
  return inPieces(draft, node, { shape: [...batch, rows, columns], axis, count }, (put, head) =>
    put(node.op, [a.pieces[head], b.pieces[head]], options),
  );
}

function summed(draft: Heads, node: Node, { shape, axis, pieces }: Apart): Apart | undefined {
  const given = draft.graph.constants.get(node.inputs[1] ?? "");
  const rank = shape.length;
  const axes = (given === undefined ? [] : numbersOf(given)).map((at) => (Number(at) + rank) % rank);
  if (axes.length === 0 || axes.includes(axis) || intAttr(node, "keepdims", 1) !== 1) return undefined;
  const result = { shape: shape.map((size, at) => (axes.includes(at) ? 1 : size)), axis, count: pieces.length };
  const attributes = { keepdims: { i: 1 } };
  return inPieces(draft, node, result, (put, head) =>
    put("ReduceSum", [pieces[head], put.list(...without(axes, axis))], { attributes }),
  );
}
