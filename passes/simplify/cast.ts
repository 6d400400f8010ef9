import { type DType, intAttr, logical } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";
import { dtypeOfCode } from "../../src/ops/shared/cast.ts";

/** Types that hold every value of the key. */
const WIDER: Partial<Record<DType, readonly DType[]>> = {
  bool: [
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
  ],
  int8: ["int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"],
  uint8: ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "bfloat16", "float32", "float64"],
  int16: ["int32", "int64", "float32", "float64"],
  uint16: ["int32", "uint32", "int64", "uint64", "float32", "float64"],
  int32: ["int64", "float64"],
  uint32: ["int64", "uint64", "float64"],
  float16: ["float32", "float64"],
  bfloat16: ["float32", "float64"],
  float32: ["float64"],
};

/** A cast that loses nothing, followed by another, is the other: `C(B(x)) = C(x)` where B holds all that x can be. */
export default rewrite({
  summary: "Merges two casts in a row where the first one loses nothing.",
  match: `
    y = Cast(x)
    z = Cast(y)
  `,
  replace({ value, type, node, attrs }) {
    const from = type("x");
    const middle = dtypeOfCode(intAttr(node("y"), "to", 0));
    if (from === undefined || middle === undefined || !WIDER[logical(from).dtype]?.includes(middle)) return undefined;
    return { op: "Cast", inputs: [value("x")], attrs: attrs("z") };
  },
});
