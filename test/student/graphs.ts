/** Random networks of the operators that channels are followed through, by seed. */
import { type Attr, attrs, type Graph, makeGraph, type Node, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, int64 } from "../../src/ir/tensor.ts";
import { inferTypes } from "../../src/ops/infer.ts";

interface Value {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Nodes one after the other; weights are small whole numbers, so that sums have no rounding to differ in. */
export function builder(seed: string) {
  const random = seededRandom(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const nodes: Node[] = [];
  const constants = new Map<string, Tensor>();
  const emit = (op: string, inputs: readonly string[], set: Record<string, Attr> = {}, count = 1): string[] => {
    const outputs = Array.from({ length: count }, (_, index) => `v${nodes.length}_${index}`);
    nodes.push({ op, domain: "", inputs, outputs, attrs: attrs(set), origin: [`node${nodes.length}`] });
    return outputs;
  };
  const constant = (tensor: Tensor): string => {
    const name = `c${constants.size}`;
    constants.set(name, tensor);
    return name;
  };
  const weights = (...shape: number[]): string =>
    constant(
      float32(
        shape,
        Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => below(7) - 3),
      ),
    );
  const graph = (inputs: readonly Value[], outputs: readonly string[]): Graph =>
    inferTypes(
      makeGraph({
        ...{ inputs: inputs.map(({ name }) => name), outputs, nodes, constants },
        types: new Map(inputs.map(({ name, shape }) => [name, { dtype: "float32" as const, shape }])),
      }),
    );
  return { below, emit, constant, weights, graph, ints: (...list: number[]) => constant(int64([list.length], list)) };
}

/** A convolutional network of random layers on [2, 3, 4, 4]. */
export function randomConvNet(seed: string): Graph {
  const { below, emit, constant, weights, graph, ints } = builder(seed);
  const pads = { pads: { ints: [1, 1, 1, 1] } };
  let now: Value = { name: "x", shape: [2, 3, 4, 4] };
  const seen: Value[] = [];
  const to = (name: string, channels: number): Value => ({ name, shape: [2, channels, 4, 4] });
  const dense = ({ name, shape }: Value, channels: number): Value =>
    to(emit("Conv", [name, weights(channels, shape[1], 3, 3), weights(channels)], pads)[0], channels);
  now = dense(now, 4 + 4 * below(3));
  for (let layer = 0; layer < 6; layer++) {
    const channels = now.shape[1];
    seen.push(now);
    const like = seen.filter(({ shape }) => shape[1] === channels);
    switch (below(10)) {
      case 0:
        now = dense(now, 4 + 4 * below(3));
        break;
      case 1: {
        const all = [0, 1].map(() => weights(channels));
        // A variance of 0 and an epsilon of 1: nothing is rounded, and nothing is divided by zero.
        const moments = [weights(channels), constant(float32([channels], new Array(channels).fill(0)))];
        now = to(emit("BatchNormalization", [now.name, ...all, ...moments], { epsilon: { f: 1 } })[0], channels);
        break;
      }
      case 2:
        now = to(emit("Relu", [now.name])[0], channels);
        break;
      case 3:
        now = to(emit("Add", [now.name, like[below(like.length)].name])[0], channels);
        break;
      case 4: {
        const other = seen[below(seen.length)];
        now = to(emit("Concat", [other.name, now.name], { axis: { i: 1 } })[0], channels + other.shape[1]);
        break;
      }
      case 5:
        now = to(
          emit("Conv", [now.name, weights(2 * channels, 1, 3, 3)], { ...pads, group: { i: channels } })[0],
          2 * channels,
        );
        break;
      case 6:
        now = to(emit("Conv", [now.name, weights(8, channels / 4, 3, 3)], { ...pads, group: { i: 4 } })[0], 8);
        break;
      case 7: {
        const [first, second] = emit("Split", [now.name, ints(channels - 2, 2)], { axis: { i: 1 } }, 2);
        now = dense(to(second, 2), channels);
        now = dense(to(emit("Concat", [first, now.name], { axis: { i: 1 } })[0], 2 * channels - 2), channels);
        break;
      }
      case 8: {
        // Squeeze and excite.
        const [pooled] = emit("GlobalMaxPool", [now.name]);
        const [gate] = emit("Relu", emit("Conv", [pooled, weights(channels, channels, 1, 1)]));
        now = to(emit("Mul", [now.name, gate])[0], channels);
        break;
      }
      default:
        now = to(emit("ConvTranspose", [now.name, weights(channels, 4, 3, 3)], pads)[0], 4);
    }
  }
  const [flat] = emit("Flatten", emit("MaxPool", [now.name], { kernel_shape: { ints: [2, 2] } }));
  const places = now.shape[1] * 9;
  const [scores] = emit("Gemm", [flat, weights(5, places), weights(5)], { transB: { i: 1 } });
  return graph([{ name: "x", shape: [2, 3, 4, 4] }], [scores]);
}

/** Attention with heads out of one product for queries, keys and values, then a feed-forward block, on [2, 3, 6]. */
export function randomTransformer(seed: string): Graph {
  const { below, emit, weights, graph, ints } = builder(seed);
  const [heads, size, hidden] = [2 + below(3), 1 + below(3), 4 + below(9)];
  const width = heads * size;
  const [all] = emit("Add", [emit("MatMul", ["x", weights(6, 3 * width)])[0], weights(3 * width)]);
  const parts = emit("Split", [all, ints(width, width, width)], { axis: { i: -1 } }, 3);
  const order = { perm: { ints: [0, 2, 1, 3] } };
  const [q, k, v] = parts.map(
    (part) => emit("Transpose", [emit("Reshape", [part, ints(0, 0, heads, size)])[0]], order)[0],
  );
  const [turned] = emit("Transpose", [k], { perm: { ints: [0, 1, 3, 2] } });
  const [mixed] = emit("MatMul", [emit("Relu", emit("MatMul", [q, turned]))[0], v]);
  const [flat] = emit("Reshape", [emit("Transpose", [mixed], order)[0], ints(2, 3, width)]);
  const [attended] = emit("Add", ["x", emit("MatMul", [flat, weights(width, 6)])[0]]);
  const [up] = emit("Relu", emit("MatMul", [attended, weights(6, hidden)]));
  const [out] = emit("Add", [attended, emit("MatMul", [up, weights(hidden, 6)])[0]]);
  return graph([{ name: "x", shape: [2, 3, 6] }], [out]);
}
