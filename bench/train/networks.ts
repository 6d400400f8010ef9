/** What the speed of training is measured on. bench/peers/train has the same networks in PyTorch. */
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { type Drafting, draft } from "./build.ts";
import { type GptSize, gptScores } from "./gpt.ts";

export interface BenchNetwork {
  /** Batch size where none is asked for. */
  readonly batch: number;
  /** The network with its loss, which is its one output. */
  graph(batch: number): Graph;
  /** A seeded batch. */
  feeds(batch: number): Map<string, Tensor>;
}

const pads = (size: number) => ({ ints: [size, size, size, size] });

function conv(net: Drafting, name: string, x: string, [from, to, kernel, stride, group]: readonly number[]): string {
  const taken = from / group;
  const weights = net.weight(`${name}.weight`, [to, taken, kernel, kernel], 1 / Math.sqrt(taken * kernel * kernel));
  const attributes = { pads: pads((kernel - 1) / 2), strides: { ints: [stride, stride] }, group: { i: group } };
  const y = net.node("Conv", [x, weights], { ...attributes, kernel_shape: { ints: [kernel, kernel] } });
  const each = (what: string, value: number): string => net.filled(`${name}.${what}`, [to], value);
  return net.node("BatchNormalization", [y, each("scale", 1), each("bias", 0), each("mean", 0), each("variance", 1)]);
}

function classifier(net: Drafting, x: string, channels: number, classes: number): string {
  const flat = net.node("Flatten", [net.node("GlobalAveragePool", [x])]);
  const weights = net.weight("classifier.weight", [classes, channels], 1 / Math.sqrt(channels));
  const scores = net.node("Gemm", [flat, weights, net.filled("classifier.bias", [classes], 0)], { transB: { i: 1 } });
  return net.node("SoftmaxCrossEntropyLoss", [scores, "label"]);
}

function imageFeeds(batch: number, shape: readonly number[], classes: number): Map<string, Tensor> {
  const random = seededRandom("batch");
  const count = batch * shape.reduce((a, b) => a * b, 1);
  const label = BigInt64Array.from({ length: batch }, () => BigInt(Math.floor(random() * classes)));
  return new Map<string, Tensor>([
    ["image", { dtype: "float32", shape: [batch, ...shape], data: Float32Array.from({ length: count }, random) }],
    ["label", { dtype: "int64", shape: [batch], data: label }],
  ]);
}

const imageInputs = (batch: number, shape: readonly number[]) => ({
  image: ["float32", [batch, ...shape]] as const,
  label: ["int64", [batch]] as const,
});

/** The Fashion-MNIST teacher: 16, 32 and 80 channels, five residual blocks. */
const residual: BenchNetwork = {
  batch: 128,
  feeds: (batch) => imageFeeds(batch, [1, 28, 28], 10),
  graph: (batch) =>
    draft(imageInputs(batch, [1, 28, 28]), (net) => {
      let x = net.node("Relu", [conv(net, "stem", "image", [1, 16, 3, 1, 1])]);
      const blocks = [
        [16, 16, 1],
        [16, 32, 2],
        [32, 32, 1],
        [32, 80, 2],
        [80, 80, 1],
      ];
      for (const [index, [from, to, stride]] of blocks.entries()) {
        const name = `block${index}`;
        const first = net.node("Relu", [conv(net, `${name}.conv1`, x, [from, to, 3, stride, 1])]);
        const second = conv(net, `${name}.conv2`, first, [to, to, 3, 1, 1]);
        const past = stride === 1 && from === to ? x : conv(net, `${name}.shortcut`, x, [from, to, 1, stride, 1]);
        x = net.node("Relu", [net.node("Add", [second, past])]);
      }
      return classifier(net, x, 80, 10);
    }),
};

/** Inverted residuals with an expansion of 6, on 32 × 32 images. */
const mobile: BenchNetwork = {
  batch: 32,
  feeds: (batch) => imageFeeds(batch, [3, 32, 32], 10),
  graph: (batch) =>
    draft(imageInputs(batch, [3, 32, 32]), (net) => {
      const bound = (value: number): string => net.filled(`bound${value}`, [], value);
      const relu6 = (value: string): string => net.node("Clip", [value, bound(0), bound(6)]);
      let x = relu6(conv(net, "stem", "image", [3, 16, 3, 1, 1]));
      let from = 16;
      const stages = [
        [1, 16, 1, 1],
        [6, 24, 2, 2],
        [6, 32, 2, 2],
        [6, 64, 2, 2],
      ];
      let index = 0;
      for (const [expansion, to, repeats, firstStride] of stages) {
        for (let at = 0; at < repeats; at++) {
          const stride = at === 0 ? firstStride : 1;
          const name = `block${index++}`;
          const wide = from * expansion;
          const expanded = expansion === 1 ? x : relu6(conv(net, `${name}.expand`, x, [from, wide, 1, 1, 1]));
          const deep = relu6(conv(net, `${name}.depthwise`, expanded, [wide, wide, 3, stride, wide]));
          const y = conv(net, `${name}.project`, deep, [wide, to, 1, 1, 1]);
          x = stride === 1 && from === to ? net.node("Add", [y, x]) : y;
          from = to;
        }
      }
      x = relu6(conv(net, "head", x, [64, 256, 1, 1, 1]));
      return classifier(net, x, 256, 10);
    }),
};

const GPT: GptSize = { vocabulary: 96, context: 128, width: 192, layers: 4, heads: 6 };

/** Characters in a context of 128: causal attention, GELU, norms before each part. */
const gpt: BenchNetwork = {
  batch: 16,
  feeds(batch) {
    const random = seededRandom("batch");
    const { context, vocabulary } = GPT;
    const draw = (count: number) =>
      BigInt64Array.from({ length: count }, () => BigInt(Math.floor(random() * vocabulary)));
    return new Map<string, Tensor>([
      ["tokens", { dtype: "int64", shape: [batch, context], data: draw(batch * context) }],
      ["label", { dtype: "int64", shape: [batch * context], data: draw(batch * context) }],
    ]);
  },
  graph(batch) {
    const { vocabulary, context } = GPT;
    const inputs = { tokens: ["int64", [batch, context]] as const, label: ["int64", [batch * context]] as const };
    return draft(inputs, (net) => {
      const scores = net.reshape(gptScores(net, "tokens", GPT), [batch * context, vocabulary]);
      return net.node("SoftmaxCrossEntropyLoss", [scores, "label"]);
    });
  },
};

export const NETWORKS: ReadonlyMap<string, BenchNetwork> = new Map([
  ["residual-cnn", residual],
  ["mobilenet-like", mobile],
  ["gpt", gpt],
]);
