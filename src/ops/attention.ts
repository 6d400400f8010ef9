import { type Dim, elementCount, floatAttr, intAttr, type Node, type Tensor } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { softmax } from "./shared/along.ts";
import { concatenate } from "./shared/concat.ts";
import { spread } from "./shared/elementwise.ts";
import {
  addDims,
  FLOATS,
  makeType,
  mapDim,
  optionalTypeAt,
  reject,
  requireRank,
  sizeOf,
  typeAt,
} from "./shared/types.ts";
import { doublesOf, fromDoubles, integersOf, optionalTensorAt, tensorAt } from "./shared/values.ts";

/** [batch, heads, length, size] of an input that may be [batch, length, heads · size]. */
function headedDims(node: Node, shape: readonly Dim[], heads: number): Dim[] {
  if (shape.length === 4) return [...shape];
  if (heads < 1) reject(node, "inputs of rank 3 need q_num_heads and kv_num_heads");
  if (typeof shape[2] === "number" && shape[2] % heads !== 0)
    reject(node, `${shape[2]} numbers do not divide into ${heads} heads`);
  return [shape[0], heads, shape[1], mapDim(shape[2], (size) => size / heads)];
}

function headed(node: Node, tensor: Tensor, heads: number): Tensor {
  if (tensor.shape.length === 4) return tensor;
  const shape = headedDims(node, tensor.shape, heads) as number[];
  const [batch, , length, size] = shape;
  const source = doublesOf(tensor);
  const values = new Float64Array(elementCount(shape));
  for (let at = 0; at < values.length; at++) {
    const [image, head, row, column] = split(at, [batch, heads, length, size]);
    values[at] = source[((image * length + row) * heads + head) * size + column];
  }
  return fromDoubles(tensor.dtype, shape, values);
}

function split(position: number, [, heads, length, size]: readonly number[]): [number, number, number, number] {
  const row = Math.floor(position / size);
  const head = Math.floor(row / length);
  return [Math.floor(head / heads), head % heads, row % length, position % size];
}

/** What is added to every score, [batch, heads, queries, keys]: the mask (false is −∞), causality and the keys that are padding. */
function biasOf(
  node: Node,
  mask: Tensor | undefined,
  lengths: Tensor | undefined,
  shape: readonly number[],
  past: number | undefined,
) {
  const [, heads, queries, keys] = shape;
  const causal = intAttr(node, "is_causal", 0) === 1;
  const width = mask?.shape.at(-1) ?? keys;
  const maskShape = [...shape.slice(0, 3), width];
  const given = mask && spread(mask, maskShape);
  const valid = lengths && integersOf(lengths);
  return (batch: number, head: number, query: number, key: number): number => {
    // Without past keys the queries are the last of the valid keys: the last sees all, the one before all but one, …
    const offset = past ?? (valid ? valid[batch] - queries : 0);
    if (causal && key > query + offset) return Number.NEGATIVE_INFINITY;
    if (valid && key >= valid[batch]) return Number.NEGATIVE_INFINITY;
    if (!given || !mask) return 0;
    if (key >= width) return Number.NEGATIVE_INFINITY;
    const element = Number(given[((batch * heads + head) * queries + query) * width + key]);
    return mask.dtype === "bool" ? (element !== 0 ? 0 : Number.NEGATIVE_INFINITY) : element;
  };
}

/**
 * `softmax(scale · Q Kᵀ + mask) V` a head (Vaswani et al., 2017); heads of K and V are shared by runs of query heads. Inputs
 * Q, K, V, mask, past key, past value, number of keys that are no padding. Outputs Y, present key and value, and the scores
 * at the stage that qk_matmul_output_mode names (0 product, 1 capped, 2 masked, 3 after softmax).
 */
const op: Op = {
  infer(node, inputs) {
    const [q, k, v] = [0, 1, 2].map((index) => typeAt(node, inputs, index, FLOATS));
    [q, k, v].forEach((type, index) => {
      requireRank(node, type, index, 3, 4);
    });
    if (!q.shape || !k.shape || !v.shape)
      return [q, k, v, q].slice(0, node.outputs.length).map(({ dtype }) => makeType(dtype));
    const keyHeads = intAttr(node, "kv_num_heads", 0);
    const [query, key, value] = [
      headedDims(node, q.shape, intAttr(node, "q_num_heads", 0)),
      headedDims(node, k.shape, keyHeads),
      headedDims(node, v.shape, keyHeads),
    ];
    const past = optionalTypeAt(node, inputs, 4, FLOATS);
    const keys = past ? addDims(past.shape?.[2] ?? "?", key[2]) : key[2];
    const [batch, heads, length] = query;
    const y =
      q.shape.length === 4
        ? [batch, heads, length, value[3]]
        : [batch, length, mapDim(value[3], (size) => size * Number(heads))];
    const present = [key, value].map((dims) => [dims[0], dims[1], keys, dims[3]]);
    const outputs = [makeType(q.dtype, y), makeType(k.dtype, present[0]), makeType(v.dtype, present[1])];
    return [...outputs, makeType(q.dtype, [batch, heads, length, keys])].slice(0, Math.max(1, node.outputs.length));
  },
  evaluate(node, inputs) {
    const [givenQ, givenK, givenV] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const [mask, pastKey, pastValue, lengths] = [3, 4, 5, 6].map((index) => optionalTensorAt(node, inputs, index));
    const keyHeads = intAttr(node, "kv_num_heads", 0);
    const q = headed(node, givenQ, intAttr(node, "q_num_heads", 0));
    const [newKey, newValue] = [headed(node, givenK, keyHeads), headed(node, givenV, keyHeads)];
    const k = pastKey ? concatenate(node, [pastKey, newKey], 2) : newKey;
    const v = pastValue ? concatenate(node, [pastValue, newValue], 2) : newValue;
    const [batch, heads, queries, size] = q.shape;
    const [, sharedHeads, keys] = k.shape;
    const width = v.shape[3];
    if (k.shape[3] !== size || v.shape[2] !== keys || heads % sharedHeads !== 0) {
      reject(node, `Q [${q.shape}], K [${k.shape}] and V [${v.shape}] do not fit together`);
    }
    const scale = node.attrs.has("scale") ? floatAttr(node, "scale", 1) : 1 / Math.sqrt(size);
    const cap = floatAttr(node, "softcap", 0);
    const stage = intAttr(node, "qk_matmul_output_mode", 0);
    const bias = biasOf(node, mask, lengths, [batch, heads, queries, keys], pastKey?.shape[2]);
    const [a, b, c] = [q, k, v].map(doublesOf);
    const scores = new Float64Array(batch * heads * queries * keys);
    const flat = givenQ.shape.length === 3;
    const values = new Float64Array(batch * heads * queries * width);
    for (let row = 0; row < batch * heads * queries; row++) {
      const [image, head, query] = split(row, [batch, heads, queries, 1]);
      const shared = image * sharedHeads + Math.floor(head / (heads / sharedHeads));
      const product = Array.from({ length: keys }, (_, key) => {
        let sum = 0;
        for (let at = 0; at < size; at++) sum += a[row * size + at] * b[(shared * keys + key) * size + at];
        return sum * scale;
      });
      const capped = cap > 0 ? product.map((score) => cap * Math.tanh(score / cap)) : product;
      const masked = capped.map((score, key) => score + bias(image, head, query, key));
      const weights = softmax(masked);
      scores.set([product, capped, masked, weights][stage] ?? product, row * keys);
      for (let at = 0; at < width; at++) {
        let sum = 0;
        for (let key = 0; key < keys; key++) sum += weights[key] * c[(shared * keys + key) * width + at];
        values[(flat ? (image * queries + query) * heads + head : row) * width + at] = sum;
      }
    }
    const shape = flat ? [batch, queries, heads * width] : [batch, heads, queries, width];
    return [
      fromDoubles(givenQ.dtype, shape, values),
      k,
      v,
      fromDoubles(givenQ.dtype, [batch, heads, queries, keys], scores),
    ];
  },
  macs(node, inputs, outputs) {
    const shape = inputs[0]?.shape;
    if (shape === undefined) return 0;
    const [, , , size] = headedDims(node, shape, intAttr(node, "q_num_heads", 0));
    const keys = sizeOf([addDims(inputs[4]?.shape?.[2] ?? 0, inputs[1]?.shape?.at(shape.length === 4 ? 2 : 1) ?? 1)]);
    const rows = sizeOf(headedDims(node, shape, intAttr(node, "q_num_heads", 0)).slice(0, 3));
    return rows * keys * sizeOf([size]) + keys * sizeOf(outputs[0].shape);
  },
};

export default op;
