import { intAttr, type Node } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { axisView } from "../shared/index.ts";
import { type CodeType, codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { reject, resolveAxis } from "../shared/types.ts";

function joined(node: Node, parts: readonly CodeType[]): { axis: number; shape: readonly number[] } {
  const [first] = parts;
  const axis = resolveAxis(node, intAttr(node, "axis", 0), first.shape.length);
  for (const part of parts) {
    const fits = part.shape.length === first.shape.length && part.dtype === first.dtype;
    if (!fits || part.shape.some((size, at) => at !== axis && size !== first.shape[at])) {
      reject(node, `${part.dtype} [${part.shape}] does not go beside ${first.dtype} [${first.shape}]`);
    }
  }
  const total = parts.reduce((sum, part) => sum + part.shape[axis], 0);
  return { axis, shape: first.shape.map((size, at) => (at === axis ? total : size)) };
}

/** Any number of inputs of one quantization, one after the other along `axis`. */
export default {
  passesThrough: true,
  infer(node, inputs) {
    const parts = inputs.map((_, index) => codeType(node, inputs, index));
    return [{ dtype: parts[0].dtype, shape: joined(node, parts).shape }];
  },
  evaluate(node, inputs) {
    const parts = inputs.map((_, index) => codesAt(node, inputs, index));
    const { axis, shape } = joined(node, parts);
    const { outer } = axisView(shape, axis);
    const codes: number[] = [];
    for (let row = 0; row < outer; row++) {
      for (const { values } of parts) {
        const width = values.length / outer;
        for (let at = 0; at < width; at++) codes.push(values[row * width + at]);
      }
    }
    return [makeCodes(parts[0].dtype, shape, (at) => codes[at])];
  },
} satisfies Op;
