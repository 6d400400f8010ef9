import { elementCount, intsAttr, type Node } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { codeType } from "../shared/npu/codes.ts";
import { reject } from "../shared/types.ts";
import { tensorAt } from "../shared/values.ts";

function shapeOf(node: Node, from: readonly number[]): readonly number[] {
  const shape = intsAttr(node, "shape") ?? reject(node, "the attribute shape is missing");
  if (shape.some((dim) => dim < 0) || elementCount(shape) !== elementCount(from)) {
    reject(node, `[${from}] cannot be seen as [${shape}]`);
  }
  return shape;
}

/** The same codes under another shape; `shape` is complete (no 0 or −1 with a meaning). */
export default {
  passesThrough: true,
  infer(node, inputs) {
    const { dtype, shape } = codeType(node, inputs, 0);
    return [{ dtype, shape: shapeOf(node, shape) }];
  },
  evaluate(node, inputs) {
    const { dtype, shape, data } = tensorAt(node, inputs, 0);
    return [{ dtype, shape: shapeOf(node, shape), data }];
  },
} satisfies Op;
