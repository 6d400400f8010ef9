import { attrs, elementCount, type Graph, type Node, type Tensor } from "../../src/ir/graph.ts";
import { encode } from "../../src/ir/numbers.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { codes, type Draw } from "./cases.ts";

/** The axis of a linear operator's output channels in its weights. */
function channelAxis({ op }: Node, rank: number): number {
  if (op === "Conv") return 0;
  return op === "ConvTranspose" ? 1 : rank - 1;
}

/** Random weights of 4 bits; multipliers that are absent, small, or so large that the unpacker saturates. */
function packed(draw: Draw, shape: readonly number[], axis: number): { w: Tensor; factors?: Tensor; block: number } {
  const count = elementCount(shape);
  const numbers = Array.from({ length: count }, () => draw.int(-8, 7));
  const w: Tensor = { dtype: "int4", shape, data: encode("int4", numbers) };
  const depth = count / shape[axis];
  const block = draw.pick([1, 2, 3, 5, 8, 32, depth]);
  if (draw.int(0, 4) === 0) return { w, block };
  const factors = codes(draw, "uint8", [shape[axis], Math.ceil(depth / block)], 1, draw.pick([3, 17, 127]));
  return { w, factors, block };
}

/** The graph with the constant weights of its linear operators in 4 bits: other weights, the same layers. */
export function withInt4Weights(graph: Graph, draw: Draw, all = true): Graph {
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const name = node.inputs[1];
    const weights = constants.get(name ?? "");
    if (!["Conv", "ConvTranspose", "MatMul"].includes(node.op) || weights?.dtype !== "int8") return [node];
    if (weights.shape.length < 2 || (!all && draw.maybe())) return [node];
    const axis = channelAxis(node, weights.shape.length);
    const { w, factors, block } = packed(draw, weights.shape, axis);
    const made = `${node.outputs[0]}/unpacked`;
    constants.set(`${made}/w`, w);
    if (factors) constants.set(`${made}/factors`, factors);
    const unpack: Node = {
      op: "UnpackWeights",
      domain: "npu",
      inputs: factors ? [`${made}/w`, `${made}/factors`] : [`${made}/w`],
      outputs: [made],
      attrs: attrs(factors ? { axis: { i: axis }, block: { i: block } } : {}),
      origin: node.origin,
    };
    return [unpack, { ...node, inputs: node.inputs.map((input, at) => (at === 1 ? made : input)) }];
  });
  const used = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs]);
  for (const name of constants.keys()) if (!used.has(name)) constants.delete(name);
  return inferTypes({ ...graph, nodes, constants });
}

/** Weights of 4 bits by themselves. */
export function int4Weights(draw: Draw): { w: Tensor; factors?: Tensor; attributes: Record<string, { i: number }> } {
  const shape = Array.from({ length: draw.int(2, 4) }, () => draw.int(1, 5));
  const axis = draw.int(0, shape.length - 1);
  const { w, factors, block } = packed(draw, shape, axis);
  return { w, ...(factors && { factors }), attributes: factors ? { axis: { i: axis }, block: { i: block } } : {} };
}
