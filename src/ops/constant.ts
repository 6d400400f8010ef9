import type { Node, Tensor } from "../ir/graph.ts";
import { float32, int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { makeType, reject } from "./shared/types.ts";

function heldBy(node: Node): Tensor {
  for (const [name, attr] of node.attrs) {
    if (name === "value" && "t" in attr) return attr.t;
    if (name === "value_float" && "f" in attr) return float32([], [attr.f]);
    if (name === "value_floats" && "floats" in attr) return float32([attr.floats.length], attr.floats);
    if (name === "value_int" && "i" in attr) return int64([], [attr.i]);
    if (name === "value_ints" && "ints" in attr) return int64([attr.ints.length], attr.ints);
    if (name === "value_string" && "s" in attr) return { dtype: "string", shape: [], data: [attr.s] };
    if (name === "value_strings" && "strings" in attr) {
      return { dtype: "string", shape: [attr.strings.length], data: attr.strings };
    }
  }
  return reject(node, "the constant has no value that is understood", "replace sparse values with dense ones");
}

/** The tensor, number, list or string that its attribute holds. */
const op: Op = {
  infer(node) {
    const { dtype, shape } = heldBy(node);
    return [makeType(dtype, shape)];
  },
  evaluate: (node) => [heldBy(node)],
};

export default op;
