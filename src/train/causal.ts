/**
 * Causal attention on ONNX Runtime's kernel for it. A mask of −∞ that is added before a Softmax costs three times what it
 * hides: a pass for the sum, exponentials that come out denormal, and products with them. `GroupQueryAttention` has each row
 * end at its own place, gives the shares (with zeros after it) and the keys and values by heads, which the way back reads.
 */

import { renameReads } from "../ir/edit.ts";
import { attrs, type Graph, intAttr, intsAttr, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { countUses } from "../ir/uses.ts";
import { type Draft, draftOf, graphOf, type Put, putting, shapeOf } from "./drafting.ts";

/** ONNX Runtime's own operators beside the standard's. */
export const RUNTIME_DOMAIN = "com.microsoft";
/** What GroupQueryAttention gives fourth where `qk_output` says so: the shares, after the Softmax. */
const AFTER_SOFTMAX = 2;
/** The kernel wants heads of so many channels, or twice as many, and so on. */
const EVEN_CHANNELS = 8;
/** [batch, place, head, channel] and [batch, head, place, channel], from one to the other. */
const BY_HEADS = "0,2,1,3";
/** From [batch, place, head, channel] to [batch, head, channel, place]. */
const KEYS_TURNED = "0,2,3,1";

/** An attention's parts, by the names of its values; queries, keys and values are [batch, place, head, channel]. */
interface Attention {
  readonly shape: readonly [batch: number, places: number, heads: number, channels: number];
  readonly queries: string;
  readonly keys: string;
  readonly values: string;
  /** By what the scores are multiplied, all in all. */
  readonly scale: number;
  /** What of it has been made by heads: the keys [batch, head, channel, place], the values [batch, head, place, channel]. */
  readonly turnedKeys: string;
  readonly valuesByHeads: string;
  /** The node that multiplies the shares with the values. */
  readonly product: Node;
}

interface Found {
  /** By the name of an attention's result by heads: the same as [batch, place, head, channel]. */
  readonly results: Map<string, string>;
  /** By the name of turned keys: the keys as [batch, head, place, channel]. */
  readonly keys: Map<string, string>;
  /** Values that are there under another name. */
  readonly renamed: Map<string, string>;
}

/**
 * A step's graph with attention under a causal mask, `Softmax(Q·Kᵀ·scale + mask)·V` of heads that are cut from
 * [batch, place, channel], as one node. Everything else reads what it makes in place of what was there. float32, shapes known.
 */
export function withCausalAttention(graph: Graph): Graph {
  const draft = draftOf(graph);
  const uses = countUses(graph);
  const found: Found = { results: new Map(), keys: new Map(), renamed: new Map() };
  const masks = new Map<string, boolean>();
  const hides = (name: string, places: number): boolean => {
    const known = masks.get(name) ?? isCausal(graph.constants.get(name), places);
    masks.set(name, known);
    return known;
  };
  const made = new Set<string>([...graph.inputs, ...graph.constants.keys()]);
  const products = new Set<Node>();
  for (const node of graph.nodes) {
    const attention = node.op === "Softmax" && node.domain === "" ? attentionOf(draft, node, uses, hides) : undefined;
    if (attention !== undefined && made.has(attention.valuesByHeads)) {
      attend(draft, node, attention, found);
      products.add(attention.product);
    } else if (!products.has(node) && !asItLies(draft, node, found)) {
      draft.nodes.push(renameReads(node, found.renamed));
    }
    for (const name of node.outputs) made.add(name);
  }
  return products.size > 0 ? withSingleParts(graphOf(draft)) : graph;
}

function makerOf({ makers }: Draft, name: string, op: string): Node | undefined {
  const maker = makers.get(name);
  return maker?.op === op && maker.domain === "" ? maker : undefined;
}

/** The value behind multiplications by single constants, and their product. */
function unscaled(draft: Draft, name: string): { name: string; scale: number } {
  let [value, scale] = [name, 1];
  for (let maker = makerOf(draft, value, "Mul"); maker !== undefined; maker = makerOf(draft, value, "Mul")) {
    const side = maker.inputs.findIndex((input) => oneNumber(draft.graph.constants.get(input)) !== undefined);
    if (side < 0) break;
    scale *= oneNumber(draft.graph.constants.get(maker.inputs[side])) ?? 1;
    value = maker.inputs[1 - side];
  }
  return { name: value, scale };
}

function oneNumber(tensor: Tensor | undefined): number | undefined {
  return tensor?.dtype === "float32" && tensor.shape.every((size) => size === 1) ? numbersOf(tensor)[0] : undefined;
}

/** What a Transpose in this order was made of. */
function behind(draft: Draft, name: string, order: string): string | undefined {
  const maker = makerOf(draft, name, "Transpose");
  return maker && intsAttr(maker, "perm")?.join() === order ? maker.inputs[0] : undefined;
}

/** Is it 0 up to the diagonal of its last two axes and −∞ after it, and one for all heads and images? */
function isCausal(mask: Tensor | undefined, places: number): boolean {
  if (mask?.dtype !== "float32" || mask.shape.slice(0, -2).some((size) => size !== 1)) return false;
  if (mask.shape.slice(-2).join() !== [places, places].join()) return false;
  const after = (at: number): boolean => at % places > Math.floor(at / places);
  return numbersOf(mask).every((value, at) => value === (after(at) ? Number.NEGATIVE_INFINITY : 0));
}

/** The attention whose shares a Softmax makes, if it is one for the kernel. */
function attentionOf(
  draft: Draft,
  node: Node,
  uses: ReadonlyMap<string, number>,
  hides: (mask: string, places: number) => boolean,
): Attention | undefined {
  const [shares] = node.outputs;
  const [, heads, places, columns] = shapeOf(draft, shares);
  const rank = shapeOf(draft, shares).length;
  if (rank !== 4 || places !== columns || places < 2 || ![3, -1].includes(intAttr(node, "axis", -1))) return undefined;
  const sum = makerOf(draft, node.inputs[0], "Add");
  const at = sum?.inputs.findIndex((name) => hides(name, places)) ?? -1;
  if (sum === undefined || at < 0) return undefined;
  const scores = unscaled(draft, sum.inputs[1 - at]);
  const [first, second] = makerOf(draft, scores.name, "MatMul")?.inputs ?? [];
  if (first === undefined) return undefined;
  const [left, right] = [unscaled(draft, first), unscaled(draft, second)];
  const product = draft.graph.nodes.find(
    ({ op, domain, inputs }) => op === "MatMul" && domain === "" && inputs[0] === shares,
  );
  const [queries, keys] = [behind(draft, left.name, BY_HEADS), behind(draft, right.name, KEYS_TURNED)];
  const values = product && behind(draft, product.inputs[1], BY_HEADS);
  if (product === undefined || queries === undefined || keys === undefined || values === undefined) return undefined;
  // Scores that something else reads would have to be made all the same.
  if (uses.get(node.inputs[0]) !== 1) return undefined;
  const shape = shapeOf(draft, queries);
  const alike = [keys, values].every((name) => shapeOf(draft, name).join() === shape.join());
  if (
    !alike ||
    shape.includes(0) ||
    shape[2] !== heads ||
    shape[3] % EVEN_CHANNELS !== 0 ||
    typeOf(draft.graph, shares)?.dtype !== "float32"
  )
    return undefined;
  const scale = scores.scale * left.scale * right.scale;
  if (!(scale > 0)) return undefined;
  const parts = { queries, keys, values, turnedKeys: right.name, valuesByHeads: product.inputs[1] };
  return { ...parts, shape: shape as unknown as Attention["shape"], scale, product };
}

/** Adds the node that attends, and what stands for the values that it takes the place of. */
function attend(draft: Draft, node: Node, attention: Attention, found: Found): void {
  const put = putting(draft, node);
  const [batch, places, heads, channels] = attention.shape;
  const [joined, keys, values] = [put.fresh("attention"), put.fresh("keys"), put.fresh("values")];
  const counts = (length: number, count: number): string =>
    put.constant({ dtype: "int32", shape: [length], data: new Int32Array(length).fill(count) });
  const attributes = attrs({
    ...{ num_heads: { i: heads }, kv_num_heads: { i: heads } },
    ...{ scale: { f: attention.scale }, qk_output: { i: AFTER_SOFTMAX } },
  });
  draft.nodes.push({
    ...{ op: "GroupQueryAttention", domain: RUNTIME_DOMAIN, attrs: attributes, origin: node.origin },
    // Of the places that are there before the first none: the last one's index, and how many there are.
    inputs: [...threeOf(draft, attention, put), "", "", counts(batch, places - 1), counts(1, places)],
    outputs: [joined, keys, values, node.outputs[0]],
  });
  const [result] = attention.product.outputs;
  const apart = put.reshape(joined, [batch, places, heads, channels]);
  put.transpose(apart, [0, 2, 1, 3], result);
  found.results.set(result, apart);
  found.keys.set(attention.turnedKeys, keys);
  found.renamed.set(attention.valuesByHeads, values);
}

/** Queries, keys and values as [batch, place, head · channel]: what they are cut from in this order, or each by itself. */
function threeOf(draft: Draft, { shape, queries, keys, values }: Attention, put: Put): string[] {
  const [batch, places, heads, channels] = shape;
  const flat = [queries, keys, values].map((name) => {
    const source = makerOf(draft, name, "Reshape")?.inputs[0] ?? "";
    return shapeOf(draft, source).join() === [batch, places, heads * channels].join() ? source : undefined;
  });
  const split = makerOf(draft, flat[0] ?? "", "Split");
  if (split !== undefined && split.outputs.join() === flat.join()) {
    const [whole] = split.inputs;
    if (shapeOf(draft, whole).join() === [batch, places, 3 * heads * channels].join()) return [whole, "", ""];
  }
  return [queries, keys, values].map((name, at) => flat[at] ?? put.reshape(name, [batch, places, heads * channels]));
}

/** Adds nodes that give what this one does from what an attention left. */
function asItLies(draft: Draft, node: Node, found: Found): boolean {
  if (node.op === "Transpose" && node.domain === "") return resultInPlace(draft, node, found);
  if (node.op === "ReduceSum" && node.domain === "") return rowSums(draft, node, found);
  const keys = found.keys.get(node.inputs[1] ?? "");
  const product = node.op === "FusedMatMul" && node.domain === RUNTIME_DOMAIN;
  if (keys === undefined || !product || intAttr(node, "transBatchB", 0) === 1) return false;
  const turned = new Map(node.attrs).set("transB", { i: 1 - intAttr(node, "transB", 0) });
  draft.nodes.push({ ...node, inputs: [found.renamed.get(node.inputs[0]) ?? node.inputs[0], keys], attrs: turned });
  return true;
}

/** A result by heads that goes back to its places has been there. */
function resultInPlace(draft: Draft, node: Node, { results }: Found): boolean {
  const apart = results.get(node.inputs[0]);
  if (apart === undefined || intsAttr(node, "perm")?.join() !== BY_HEADS) return false;
  putting(draft, node).reshape(apart, shapeOf(draft, node.outputs[0]), node.outputs[0]);
  return true;
}

/** Σ over a head's channels of what arrives at a result times the result: as both lie, so that neither is turned for it. */
function rowSums(draft: Draft, node: Node, { results }: Found): boolean {
  const factors = makerOf(draft, node.inputs[0], "Mul")?.inputs ?? [];
  const at = factors.findIndex((name) => results.has(name));
  const arriving = at < 0 ? undefined : behind(draft, factors[1 - at], BY_HEADS);
  const axes = draft.graph.constants.get(node.inputs[1] ?? "");
  if (arriving === undefined || axes === undefined || intAttr(node, "keepdims", 1) !== 1) return false;
  if (!["3", "-1"].includes(numbersOf(axes).join())) return false;
  const put = putting(draft, node);
  const both = put("Mul", [arriving, results.get(factors[at]) as string]);
  const sums = put("ReduceSum", [both, put.list(3)], { attributes: { keepdims: { i: 1 } } });
  put.transpose(sums, [0, 2, 1, 3], node.outputs[0]);
  return true;
}

/** Where only one part of a Split is read any more, that part is cut out alone. */
function withSingleParts(graph: Graph): Graph {
  const uses = countUses(graph);
  const draft = draftOf(graph);
  for (const node of graph.nodes) {
    const read = node.op === "Split" && node.domain === "" ? node.outputs.filter((name) => uses.has(name)) : [];
    const axis = intAttr(node, "axis", 0);
    const sizes = node.outputs.map((name) => shapeOf(draft, name).at(axis));
    if (read.length !== 1 || node.outputs.length < 2 || sizes.includes(undefined)) {
      draft.nodes.push(node);
      continue;
    }
    const put = putting(draft, node);
    const first = node.outputs.indexOf(read[0]);
    const begin = (sizes as number[]).slice(0, first).reduce((sum, size) => sum + size, 0);
    const bounds = [put.list(begin), put.list(begin + (sizes[first] as number)), put.list(axis)];
    put("Slice", [node.inputs[0], ...bounds], { output: read[0] });
  }
  return graphOf(draft);
}
