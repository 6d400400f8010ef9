/** A reference network with weights of 4 bits: other numbers, the same layers. */
import { attrs, elementCount, type Graph, type LazyBytes, type Node } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";

/** What 119 / 7 is: the largest multiplier whose products are all int8. */
const LARGEST_MULTIPLIER = 17;

/** Bytes that are made when they are asked for. */
function seededBytes(seed: string, byteLength: number, draw: (random: () => number) => number): LazyBytes {
  const read = () => {
    const random = seededRandom(seed);
    return Uint8Array.from({ length: byteLength }, () => draw(random));
  };
  return { lazy: true, byteLength, read };
}

/**
 * Every dense layer's weights in 4 bits, so many neighbours of the reduction with one multiplier. Depthwise filters and tables
 * that rows are fetched from stay as they are.
 */
export function withInt4Weights(graph: Graph, block: number): Graph {
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const name = node.inputs[1];
    const weights = graph.constants.get(name ?? "");
    const dense = node.op === "MatMul" || (node.op === "Conv" && (weights?.shape[1] ?? 0) > 1);
    if (!dense || !weights) return [node];
    const axis = node.op === "Conv" ? 0 : 1;
    const { shape } = weights;
    const [count, channels] = [elementCount(shape), shape[axis]];
    const blocks = Math.ceil(count / channels / block);
    const codes = seededBytes(`${name} codes`, Math.ceil(count / 2), (random) => Math.floor(random() * 256));
    const factors = seededBytes(
      `${name} factors`,
      channels * blocks,
      (random) => 1 + Math.floor(random() * LARGEST_MULTIPLIER),
    );
    const made = `${name}/unpacked`;
    constants.set(`${name}/int4`, { dtype: "int4", shape, data: codes });
    constants.set(`${name}/multipliers`, { dtype: "uint8", shape: [channels, blocks], data: factors });
    types.set(made, { dtype: "int8", shape });
    constants.delete(name);
    const unpack: Node = {
      op: "UnpackWeights",
      domain: "npu",
      inputs: [`${name}/int4`, `${name}/multipliers`],
      outputs: [made],
      attrs: attrs({ axis: { i: axis }, block: { i: block } }),
      origin: node.origin,
    };
    return [unpack, { ...node, inputs: node.inputs.map((input, at) => (at === 1 ? made : input)) }];
  });
  return { ...graph, nodes, constants, types };
}
