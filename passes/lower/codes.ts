import { z } from "zod";
import { dequantize } from "../../src/ir/codes.ts";
import type { Graph, Node, Quant, Tensor, Type } from "../../src/ir/graph.ts";
import { makeTensor, valuesOf } from "../../src/ir/tensor.ts";
import { findOp } from "../../src/ops/find.ts";
import type { Pass } from "../../src/pass.ts";
import { BLOCKS, WEIGHT_FORMATS, WEIGHT_SCALES } from "../../src/quant/format.ts";
import { quantizeWeightsAs } from "../../src/quant/weights.ts";

/** How weights are stored that have to be rounded again. */
const options = z
  .object({
    weights: z.enum(WEIGHT_FORMATS).default("int8"),
    block: z.union(BLOCKS.map((block) => z.literal(block))).default(64),
    weightScales: z.enum(WEIGHT_SCALES).default("mse"),
  })
  .strict();

/** Half of what uint8 holds: what its codes are moved by. */
const OFFSET = 128;

/**
 * Models that come quantized say it with uint8 as often as with int8, and their weights may have zero points, 4 bits or blocks. The
 * chip's activations are int8 or int4, the same reals with code and zero point 128 or 8 lower; its weights have no zero point and one scale a
 * channel, so others are rounded again.
 */
const pass: Pass<z.infer<typeof options>> = {
  summary: "Brings the codes of a model that came quantized to the chip's: int8, and weights without zero points.",
  options,
  lossy: true,
  run(graph, context) {
    const types = new Map(graph.types);
    const constants = new Map(graph.constants);
    for (const [name, type] of graph.types) {
      if (isUnsigned(type)) types.set(name, signedType(type));
      else if (type.dtype === "uint4" && type.quant)
        types.set(name, { ...type, dtype: "int4", quant: lowered(type.quant, 8) });
    }
    for (const node of graph.nodes) {
      const found = foreignWeights(graph, node);
      if (found) constants.set(found.name, rounded(found.tensor, found.axis, context.options));
    }
    for (const [name, tensor] of constants) if (isUnsigned(tensor)) constants.set(name, signed(tensor));
    const changed = (before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>) =>
      [...after].some(([name, value]) => before.get(name) !== value);
    if (!changed(graph.types, types) && !changed(graph.constants, constants)) return graph;
    return { ...graph, types, constants };
  },
};

export default pass;

function isUnsigned(type: { readonly dtype: string; readonly quant?: Quant | undefined }): boolean {
  return type.dtype === "uint8" && type.quant !== undefined;
}

function lowered(quant: Quant, offset = OFFSET): Quant {
  return { ...quant, zeroPoint: quant.zeroPoint.map((zero) => zero - offset) };
}

function signedType(type: Type): Type {
  return { ...type, dtype: "int8", quant: lowered(type.quant as Quant) };
}

function signed(tensor: Tensor): Tensor {
  const codes = Int8Array.from(valuesOf(tensor) as Uint8Array, (code) => code - OFFSET);
  return makeTensor("int8", tensor.shape, codes, lowered(tensor.quant as Quant));
}

/** A node's quantized weights where the array does not take them as they are. */
function foreignWeights(graph: Graph, node: Node): { name: string; tensor: Tensor; axis: number } | undefined {
  const weights = findOp(node.domain, node.op)?.operands?.weights;
  const name = weights && node.inputs[weights.input];
  const tensor = name ? graph.constants.get(name) : undefined;
  if (!weights || !name || !tensor?.quant) return undefined;
  const { quant } = tensor;
  const axis = weights.axis(node, tensor.shape.length);
  if (
    tensor.dtype === "int4" &&
    quant.axis === axis &&
    quant.block === undefined &&
    quant.zeroPoint.every((zero) => zero === 0)
  )
    return undefined;
  const plain = quant.block === undefined && (quant.scale.length === 1 || quant.axis === axis);
  const offset = tensor.dtype === "uint8" ? OFFSET : 0;
  const fits =
    (tensor.dtype === "int8" || tensor.dtype === "uint8") && quant.zeroPoint.every((zero) => zero === offset);
  return plain && fits ? undefined : { name, tensor, axis };
}

function rounded(tensor: Tensor, axis: number, plan: z.infer<typeof options>): Tensor {
  return quantizeWeightsAs(dequantize(tensor), axis, { ...plan, scales: plan.weightScales });
}
