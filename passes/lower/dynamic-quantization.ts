import { rebuild } from "../../src/ir/build.ts";
import { dequantize } from "../../src/ir/codes.ts";
import { elementCount, type Graph, intAttr, type Node, type Tensor } from "../../src/ir/graph.ts";
import { decode } from "../../src/ir/numbers.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** TensorProto.DataType of float32. */
const FLOAT = 1;

/**
 * Dynamically quantized models round each activation to the range that it happens to have, multiply integers and scale back:
 * `s_x·s_w·((x_q − z_x)·(w_q − z_w))`. The chip's scales are fixed by calibration, so the product is taken back to `x·w`, with the
 * weights that their codes say.
 */
const pass: Pass = {
  summary: "Takes dynamically quantized products back to products of real numbers, to be quantized with fixed scales.",
  lossy: true,
  run(graph) {
    const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name): [string, Node] => [name, node])));
    return rebuild(graph, (node, build) => {
      const found = findProduct(graph, makers, node);
      if (!found) return false;
      const { product, input, weights } = found;
      const isConv = product.op === "ConvInteger";
      build.node(
        isConv ? "Conv" : "MatMul",
        [input, weights],
        isConv ? Object.fromEntries(product.attrs) : {},
        node.outputs[0],
      );
      return true;
    });
  },
};

export default pass;

interface Found {
  readonly product: Node;
  /** The real value that was rounded. */
  readonly input: string;
  readonly weights: Tensor;
}

/** From the last Mul backwards: Cast of an integer product on one side, the product of both scales on the other. */
function findProduct(graph: Graph, makers: ReadonlyMap<string, Node>, node: Node): Found | undefined {
  if (node.op !== "Mul" || node.domain !== "") return undefined;
  for (const [left, right] of [node.inputs, [...node.inputs].reverse()]) {
    const cast = makers.get(left);
    const product = cast?.op === "Cast" && intAttr(cast, "to", 0) === FLOAT ? makers.get(cast.inputs[0]) : undefined;
    if (product?.op !== "MatMulInteger" && product?.op !== "ConvInteger") continue;
    const rounding = makers.get(product.inputs[0]);
    const scales = makers.get(right);
    if (rounding?.op !== "DynamicQuantizeLinear" || scales?.op !== "Mul") continue;
    const [, scale, zero] = rounding.outputs;
    const place = scales.inputs.indexOf(scale);
    const own = place < 0 ? undefined : graph.constants.get(scales.inputs[1 - place]);
    const codes = graph.constants.get(product.inputs[1]);
    if (!own || !codes || codes.quant || product.inputs[2] !== zero) continue;
    const offset = product.inputs[3] ? graph.constants.get(product.inputs[3]) : undefined;
    if (product.inputs[3] && !offset) continue;
    const weights = weightsOf(product, codes, own, offset);
    if (weights) return { product, input: rounding.inputs[0], weights };
  }
  return undefined;
}

/** The real weights; scale and zero point are one number, or one an output channel. */
function weightsOf(product: Node, codes: Tensor, scale: Tensor, offset: Tensor | undefined): Tensor | undefined {
  const axis = product.op === "ConvInteger" ? 0 : codes.shape.length - 1;
  const channels = codes.shape[axis];
  const scales = decode(scale) as ArrayLike<number>;
  const zeros = offset ? Int32Array.from(decode(offset) as ArrayLike<number>) : new Int32Array(1);
  const fits = (count: number) => count === 1 || count === channels;
  if (!fits(elementCount(scale.shape)) || !fits(zeros.length)) return undefined;
  const spread = (list: ArrayLike<number>) =>
    Array.from({ length: channels }, (_, c) => list[list.length === 1 ? 0 : c]);
  const quant = { scale: Float32Array.from(spread(scales)), zeroPoint: Int32Array.from(spread(zeros)), axis };
  return float32(codes.shape, dequantize({ ...codes, quant }).data as Float32Array);
}
