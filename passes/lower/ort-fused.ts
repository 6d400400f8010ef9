import { type Builder, rebuild } from "../../src/ir/build.ts";
import { floatAttr, type Graph, intAttr, isStatic, type Node, typeOf } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { unpackedNBits } from "../../src/ops/com-microsoft/mat-mul-n-bits.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * Models that ONNX Runtime optimized hold operators of its own. Taken apart, their sums and products are those that
 * everything else here knows.
 */
const pass: Pass = {
  summary: "Takes ONNX Runtime's fused norms, biases and products apart into standard operators.",
  run(graph) {
    const next = rebuild(graph, (node, build) => {
      if (node.domain !== "com.microsoft") return false;
      switch (node.op) {
        case "SkipLayerNormalization":
          return skipNorm(node, build, "LayerNormalization");
        case "SkipSimplifiedLayerNormalization":
          return skipNorm(node, build, "RMSNormalization");
        case "BiasGelu":
          build.node("Gelu", [build.node("Add", node.inputs)], {}, node.outputs[0]);
          return true;
        case "FusedMatMul":
          return fusedMatMul(graph, node, build);
        case "MatMulNBits":
          return packedMatMul(graph, node, build);
        default:
          return false;
      }
    });
    // RMSNormalization came with opset 23.
    if (next === graph || !next.nodes.some((node) => node.op === "RMSNormalization")) return next;
    return { ...next, opsets: new Map(next.opsets).set("", Math.max(23, next.opsets.get("") ?? 0)) };
  },
};

export default pass;

/** Inputs x, skip, scale, then shift (not in the RMS form) and bias; output 3 is the sum. */
function skipNorm(node: Node, build: Builder, norm: "LayerNormalization" | "RMSNormalization"): boolean {
  if (node.outputs[1] || node.outputs[2]) return false;
  const isLayer = norm === "LayerNormalization";
  const [x, skip, scale, ...rest] = node.inputs;
  const [shift, bias] = isLayer ? [rest[0] ?? "", rest[1] ?? ""] : ["", rest[0] ?? ""];
  const total = node.outputs[3] || undefined;
  const sum = build.node("Add", [x, skip], {}, bias === "" ? total : undefined);
  const biased = bias === "" ? sum : build.node("Add", [sum, bias], {}, total);
  const epsilon = { f: floatAttr(node, "epsilon", isLayer ? 1e-12 : 1e-5) };
  const inputs = shift === "" ? [biased, scale] : [biased, scale, shift];
  build.node(norm, inputs, { axis: { i: -1 }, epsilon }, node.outputs[0]);
  return true;
}

/** Weights in blocks of a few bits, some with zero points, are no form of the array's: as floats they may be rounded to one. */
function packedMatMul(graph: Graph, node: Node, build: Builder): boolean {
  const [a, ...packed] = node.inputs;
  const { dtype } = typeOf(graph, a) ?? {};
  const [bias = ""] = packed.slice(4);
  if (dtype === undefined || packed.slice(0, 4).some((name) => name && !graph.constants.has(name))) return false;
  const weights = unpackedNBits(node, [undefined, ...packed.map((name) => graph.constants.get(name))], dtype);
  const product = build.node("MatMul", [a, weights], {}, bias === "" ? node.outputs[0] : undefined);
  if (bias !== "") build.node("Add", [product, bias], {}, node.outputs[0]);
  return true;
}

function fusedMatMul(graph: Graph, node: Node, build: Builder): boolean {
  if (intAttr(node, "transBatchA", 0) !== 0 || intAttr(node, "transBatchB", 0) !== 0) return false;
  const operand = (index: number, transposed: boolean): string | undefined => {
    const shape = typeOf(graph, node.inputs[index])?.shape;
    if (!transposed || shape?.length === 1) return node.inputs[index];
    if (!isStatic(shape)) return undefined;
    const rank = shape.length;
    const perm = [...shape.keys()].map((axis) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis));
    return build.node("Transpose", [node.inputs[index]], { perm: { ints: perm } });
  };
  const a = operand(0, intAttr(node, "transA", 0) !== 0);
  const b = operand(1, intAttr(node, "transB", 0) !== 0);
  if (a === undefined || b === undefined) return false;
  const alpha = floatAttr(node, "alpha", 1);
  const product = build.node("MatMul", [a, b], {}, alpha === 1 ? node.outputs[0] : undefined);
  if (alpha !== 1) build.node("Mul", [product, float32([], [alpha])], {}, node.outputs[0]);
  return true;
}
