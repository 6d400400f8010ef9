import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import type { Feeds, Samples } from "../../src/pass.ts";
import { prepare } from "../harness/pass.ts";

/** Positions of the caches: as many steps make a sequence. */
export const STEPS = 6;

/** One layer of a decoder that works a token a step: keys and values in caches, their channels of very different size. */
export function decoder(): Graph {
  const mask = Array.from({ length: STEPS * STEPS }, (_, at) => (at % STEPS > Math.floor(at / STEPS) ? -1e9 : 0));
  return prepare(`
    graph decoder opset 24
    input x: float32[1,1,8]
    input at: int64[1]
    input keys: float32[1,2,6,4]
    input values: float32[1,2,6,4]
    state nextKeys -> keys = zeros
    state nextValues -> values = zeros
    const mask: float32[6,6] = [${mask}]
    const q: float32[8,8] = random(1)
    const k: float32[8,8] = random(2)
    const v: float32[8,8] = random(3)
    const sizes: float32[8] = [1, 0.1, 3, 0.5, 2, 0.2, 0.3, 1]
    const heads: int64[4] = [1,2,1,4]
    const flat: int64[3] = [1,1,8]
    q0 = MatMul(x, q)
    k0 = MatMul(x, k)
    k1 = Mul(k0, sizes)
    v0 = MatMul(x, v)
    v1 = Mul(v0, sizes)
    query = Reshape(q0, heads)
    key = Reshape(k1, heads)
    value = Reshape(v1, heads)
    nextKeys = TensorScatter(keys, key, at) axis=2
    nextValues = TensorScatter(values, value, at) axis=2
    turned = Transpose(nextKeys) perm=[0,1,3,2]
    products = MatMul(query, turned)
    seen = Gather(mask, at)
    scores = Add(products, seen)
    weights = Softmax(scores) axis=3
    mixed = MatMul(weights, nextValues)
    y = Reshape(mixed, flat)
    return y, nextKeys, nextValues
  `);
}

/** Step `index % STEPS` of sequence `index / STEPS`. */
export function stepFeeds(index: number): Feeds {
  const numbers = Float32Array.from({ length: 8 }, (_, at) => Math.sin(12.9898 * (8 * index + at + 1)));
  return new Map<string, Tensor>([
    ["x", makeTensor("float32", [1, 1, 8], numbers)],
    ["at", makeTensor("int64", [1], BigInt64Array.of(BigInt(index % STEPS)))],
  ]);
}

export const SEQUENCES: Samples = {
  size: 16 * STEPS,
  sequence: (index) => `sequence ${Math.floor(index / STEPS)}`,
  feeds: stepFeeds,
};
