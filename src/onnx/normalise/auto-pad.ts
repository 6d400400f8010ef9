import { intsAttr, type Node, stringAttr, type Type } from "../../ir/graph.ts";
import { withAttrs } from "./conversion.ts";

const WINDOWED = new Set(["Conv", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool", "LpPool", "ConvTranspose"]);

/**
 * `auto_pad` as explicit `pads`, where the sizes are known. SAME_UPPER and SAME_LOWER make the output ⌈in / stride⌉ and put
 * an odd rest after or before. `inputs` are the node's input types. ConvTranspose with a SAME mode is left to its operator.
 */
export function explicitPads(node: Node, inputs: readonly (Type | undefined)[]): Node {
  if (node.domain !== "" || !WINDOWED.has(node.op) || !node.attrs.has("auto_pad")) return node;
  const mode = stringAttr(node, "auto_pad", "NOTSET");
  if (mode === "NOTSET") return withAttrs(node, { auto_pad: undefined });
  const weights = inputs[node.op === "QLinearConv" ? 3 : 1]?.shape;
  const kernel = intsAttr(node, "kernel_shape") ?? weights?.slice(2);
  if (kernel === undefined) return node;
  const rank = kernel.length;
  if (mode === "VALID") {
    return withAttrs(node, { auto_pad: undefined, pads: { ints: new Array<number>(2 * rank).fill(0) } });
  }
  const sizes = inputs[0]?.shape?.slice(2);
  if (node.op === "ConvTranspose" || sizes?.length !== rank || !mode.startsWith("SAME_")) return node;
  const strides = intsAttr(node, "strides") ?? new Array<number>(rank).fill(1);
  const dilations = intsAttr(node, "dilations") ?? new Array<number>(rank).fill(1);
  const begin: number[] = [];
  const end: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const [size, width] = [sizes[axis], kernel[axis]];
    if (typeof size !== "number" || typeof width !== "number" || !(strides[axis] > 0)) return node;
    const reach = (Math.ceil(size / strides[axis]) - 1) * strides[axis] + (width - 1) * dilations[axis] + 1;
    const total = Math.max(reach - size, 0);
    const small = Math.floor(total / 2);
    begin.push(mode === "SAME_UPPER" ? small : total - small);
    end.push(mode === "SAME_UPPER" ? total - small : small);
  }
  return withAttrs(node, { auto_pad: undefined, pads: { ints: [...begin, ...end] } });
}
