import { CompileError } from "../../error.ts";
import { type Graph, subgraphs, type Tensor } from "../../ir/graph.ts";
import { isFloat } from "../../ir/numbers.ts";
import { valuesOf } from "../../ir/tensor.ts";
import { quote } from "../decode-graph.ts";

/** Operators that sum products with their constants: one NaN or infinity there spoils every output. */
const WEIGHTED = new Set([
  "Conv",
  "ConvTranspose",
  "MatMul",
  "Gemm",
  "LSTM",
  "GRU",
  "RNN",
  "BatchNormalization",
  "LayerNormalization",
]);

/**
 * Refuses weights that are not finite: `model/not-finite` with the tensor and its node. Infinite constants elsewhere are
 * legal, as masks are. Weights that lie in a file are read once and not kept.
 */
export function checkFinite(graph: Graph, outer: (name: string) => Tensor | undefined = () => undefined): void {
  const lookUp = (name: string) => graph.constants.get(name) ?? outer(name);
  const seen = new Set<string>();
  for (const node of graph.nodes) {
    for (const [, inner] of subgraphs(node)) checkFinite(inner, lookUp);
    if (node.domain !== "" || !WEIGHTED.has(node.op)) continue;
    for (const name of node.inputs) {
      const tensor = name === "" || seen.has(name) ? undefined : lookUp(name);
      seen.add(name);
      if (tensor === undefined || !isFloat(tensor.dtype) || tensor.dtype.startsWith("float8")) continue;
      const at = firstNotFinite(tensor);
      if (at === undefined) continue;
      throw new CompileError("model/not-finite", `the weight ${quote(name)} is not a finite number at element ${at}`, {
        where: `tensor ${quote(name)} of node ${quote(node.origin[0])}`,
        remedy: "the training diverged or the file is damaged; export a sound checkpoint",
      });
    }
  }
}

/** Half precisions are judged by their exponent bits: all ones is infinity or NaN. */
function firstNotFinite(tensor: Tensor): number | undefined {
  const values = valuesOf(tensor);
  const exponent = tensor.dtype === "float16" ? 0x7c00 : tensor.dtype === "bfloat16" ? 0x7f80 : 0;
  for (let index = 0; index < values.length; index++) {
    const value = Number(values[index]);
    if (exponent === 0 ? !Number.isFinite(value) : (value & exponent) === exponent) return index;
  }
  return undefined;
}
