/** Attention: encoders of images and sound, and one step of a language model. */
import type { Graph } from "../../../src/ir/graph.ts";
import { Network, type Value } from "../builder.ts";

/** One encoder layer: attention and a two-layer perceptron, pre-normalised. */
function encoderLayer(net: Network, x: Value, heads: number): Value {
  const [batch, tokens, width] = x.shape;
  const size = width / heads;
  const normal = net.norm(x);
  const split = (value: Value, perm: readonly number[]) =>
    net.transpose(net.reshape(value, [batch, tokens, heads, size]), perm);
  const query = split(net.linear(normal, width), [0, 2, 1, 3]);
  const key = split(net.linear(normal, width), [0, 2, 3, 1]);
  const value = split(net.linear(normal, width), [0, 2, 1, 3]);
  const mixed = net.weigh(net.softmax(net.matmul(query, key)), value);
  const joined = net.reshape(net.transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]);
  return perceptron(net, net.sum(x, net.linear(joined, width)));
}

function perceptron(net: Network, x: Value): Value {
  const width = x.shape[x.shape.length - 1];
  return net.sum(x, net.linear(net.linear(net.norm(x), width * 4, true), width));
}

export function vitB16(): Graph {
  const net = new Network("vit-b16");
  const patches = net.conv(net.input("x", [1, 3, 224, 224]), 768, 16, { stride: 16, pad: 0 });
  const tokens = net.transpose(net.reshape(patches, [1, 768, 196]), [0, 2, 1]);
  let x = net.sum(net.concat([net.input("class", [1, 1, 768]), tokens], 1), net.learned([1, 197, 768]));
  for (let layer = 0; layer < 12; layer++) x = encoderLayer(net, x, 12);
  return net.finish([net.linear(net.slice(net.norm(x), 1, 0, 1), 1000)]);
}

/** 3,000 frames of 80 mel bands; the second convolution halves them. */
export function whisperTinyEncoder(): Graph {
  const net = new Network("whisper-tiny-encoder");
  const first = net.conv(net.input("mel", [1, 80, 1, 3000]), 384, [1, 3], { table: true });
  const halved = net.conv(first, 384, [1, 3], { stride: 2, table: true });
  let x = net.transpose(net.reshape(halved, [1, 384, 1500]), [0, 2, 1]);
  x = net.sum(x, net.learned([1, 1500, 384]));
  for (let layer = 0; layer < 4; layer++) x = encoderLayer(net, x, 6);
  return net.finish([net.norm(x)]);
}

/** What one step needs to know: where it stands, and which positions it may look at (127; −128 those still to come). */
interface Step {
  readonly position: string;
  readonly visible: Value;
}

/** One decoder layer for one token: keys and values of all positions lie in caches, which get the token's own. */
function decoderLayer(net: Network, x: Value, heads: number, { position, visible }: Step): Value {
  const width = x.shape[2];
  const context = visible.shape[3];
  const normal = net.norm(x);
  const head = (value: Value) => net.transpose(net.reshape(value, [1, 1, heads, width / heads]), [0, 2, 1, 3]);
  const query = head(net.linear(normal, width));
  const key = net.cached(head(net.linear(normal, width)), context, position);
  const value = net.cached(head(net.linear(normal, width)), context, position);
  const scores = net.least(net.matmul(query, net.transpose(key, [0, 1, 3, 2])), visible);
  const mixed = net.weigh(net.softmax(scores), value);
  const joined = net.reshape(net.transpose(mixed, [0, 2, 1, 3]), [1, 1, width]);
  return perceptron(net, net.sum(x, net.linear(joined, width)));
}

export interface DecoderShape {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  /** Positions that the caches have. */
  readonly context: number;
  readonly vocabulary: number;
}

/** GPT-2 XL's shape, 1.5 billion parameters in 48 layers: one token at a context of 512 unless said otherwise. */
export function gptDecode(layers = 48, context = 512): Graph {
  return decoderStep("gpt-1.5b-decode", { layers, width: 1600, heads: 25, context, vocabulary: 50_257 });
}

/** One token through a decoder. Each cache has one scale, so none varies along an axis that is summed over. */
export function decoderStep(name: string, { layers, width, heads, context, vocabulary }: DecoderShape): Graph {
  const net = new Network(name);
  const token = net.index("token", [1]);
  const step: Step = { position: net.index("position", [1]), visible: net.input("visible", [1, 1, 1, context]) };
  let x = net.sum(net.lookUp(vocabulary, width, token), net.lookUp(context, width, step.position));
  for (let layer = 0; layer < layers; layer++) x = decoderLayer(net, x, heads, step);
  return net.finish([net.linear(net.norm(x), vocabulary)]);
}
