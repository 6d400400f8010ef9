/** A transformer that tells the next character: the bench network, and the network of the character GPT's recipe. */
import type { Drafting } from "./build.ts";

export interface GptSize {
  /** Characters, by class number. */
  readonly vocabulary: number;
  /** Characters that are seen at once. */
  readonly context: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Characters that a convolution looks back at (itself included) before the first layer; none unless said. */
  readonly stem?: number;
}

/** x + what a causal convolution makes of the last `reach` places: groups of letters, which layers would learn much later. */
function lookBack(net: Drafting, x: string, reach: number, { width, context }: GptSize): string {
  const turned = { perm: { ints: [0, 2, 1] } };
  const lifted = net.reshape(net.node("Transpose", [x], turned), [0, 0, 1, context]);
  const weights = net.weight("stem.weight", [width, width, 1, reach], 1 / Math.sqrt(width * reach));
  const attributes = { kernel_shape: { ints: [1, reach] }, pads: { ints: [0, reach - 1, 0, 0] } };
  const found = net.reshape(net.node("Conv", [lifted, weights], attributes), [0, 0, context]);
  return net.node("Add", [x, net.node("Transpose", [found], turned)]);
}

export function linear(net: Drafting, name: string, x: string, from: number, to: number): string {
  const weights = net.weight(`${name}.weight`, [from, to], 1 / Math.sqrt(from));
  return net.node("Add", [net.node("MatMul", [x, weights]), net.filled(`${name}.bias`, [to], 0)]);
}

export function layerNorm(net: Drafting, name: string, x: string, width: number): string {
  return net.node("LayerNormalization", [
    x,
    net.filled(`${name}.scale`, [width], 1),
    net.filled(`${name}.bias`, [width], 0),
  ]);
}

/**
 * Layers of attention and GELU with norms before each part, from x [batch, context, width] to the same. A mask [context, context], where
 * there is one, is added to the scores of queries and keys.
 */
export function transformerLayers(
  net: Drafting,
  start: string,
  size: Omit<GptSize, "vocabulary">,
  mask?: string,
): string {
  const { width, layers, heads } = size;
  const order = (...perm: number[]) => ({ perm: { ints: perm } });
  const scale = net.filled("scale", [], 1 / Math.sqrt(width / heads));
  let x = start;
  for (let layer = 0; layer < layers; layer++) {
    const name = `layer${layer}`;
    const wide = linear(net, `${name}.qkv`, layerNorm(net, `${name}.norm1`, x, width), width, 3 * width);
    const parts = net.nodes("Split", [wide], 3, { axis: { i: 2 }, num_outputs: { i: 3 } });
    const split = parts.map((part) => net.reshape(part, [0, 0, heads, width / heads]));
    const queries = net.node("Mul", [net.node("Transpose", [split[0]], order(0, 2, 1, 3)), scale]);
    const keys = net.node("Transpose", [split[1]], order(0, 2, 3, 1));
    const values = net.node("Transpose", [split[2]], order(0, 2, 1, 3));
    const product = net.node("MatMul", [queries, keys]);
    const scores = mask === undefined ? product : net.node("Add", [product, mask]);
    const seen = net.node("MatMul", [net.node("Softmax", [scores], { axis: { i: 3 } }), values]);
    const joined = net.reshape(net.node("Transpose", [seen], order(0, 2, 1, 3)), [0, 0, width]);
    x = net.node("Add", [x, linear(net, `${name}.out`, joined, width, width)]);
    const inner = linear(net, `${name}.up`, layerNorm(net, `${name}.norm2`, x, width), width, 4 * width);
    x = net.node("Add", [x, linear(net, `${name}.down`, net.node("Gelu", [inner]), 4 * width, width)]);
  }
  return x;
}

/** Scores [batch, context, vocabulary] from class numbers [batch, context]: each place is told by itself and those before it. */
export function gptScores(net: Drafting, tokens: string, size: GptSize): string {
  const { vocabulary, context, width, stem = 0 } = size;
  const table = net.weight("embedding.weight", [vocabulary, width], 0.05);
  const places = net.weight("positions.weight", [context, width], 0.05);
  const hidden = Float32Array.from({ length: context * context }, (_, at) =>
    at % context > Math.floor(at / context) ? Number.NEGATIVE_INFINITY : 0,
  );
  const mask = net.constant("mask", { dtype: "float32", shape: [context, context], data: hidden });
  const letters = net.node("Gather", [table, tokens]);
  const begun = net.node("Add", [stem > 0 ? lookBack(net, letters, stem, size) : letters, places]);
  const x = transformerLayers(net, begun, size, mask);
  const head = net.weight("head.weight", [width, vocabulary], 1 / Math.sqrt(width));
  return net.node("MatMul", [layerNorm(net, "norm", x, width), head]);
}
