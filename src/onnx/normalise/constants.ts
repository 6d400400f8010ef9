import { CompileError } from "../../error.ts";
import type { Node, Tensor } from "../../ir/graph.ts";
import { float32, int64 } from "../../ir/tensor.ts";
import { decode } from "../decode.ts";
import { densify } from "../tensor.ts";
import { memorySource } from "../wire.ts";

/** The tensor that a Constant node of any form holds: its output becomes a constant of the graph. */
export function tensorOfConstant(node: Node): Tensor {
  const where = `node ${node.origin[0]}`;
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
    if (name === "sparse_value" && "raw" in attr) {
      const { sparseTensor } = decode("AttributeProto", memorySource(attr.raw));
      if (sparseTensor) return densify(sparseTensor, where);
    }
  }
  throw new CompileError("model/bad-attribute", "the Constant holds no value", { where });
}
