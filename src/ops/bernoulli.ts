import { type DType, intAttr, type Node } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { dtypeOfCode } from "./shared/cast.ts";
import { BOOL, FLOATS, makeType, NUMBERS, reject, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

function dtypeOf(node: Node, fallback: DType): DType {
  const dtype = node.attrs.has("dtype") ? dtypeOfCode(intAttr(node, "dtype", 0)) : fallback;
  if (dtype !== undefined && (NUMBERS.includes(dtype) || BOOL.includes(dtype))) return dtype;
  return reject(node, `the dtype ${dtype ?? intAttr(node, "dtype", 0)} is not possible here`);
}

/** 1 with the probability that each element states, else 0. */
const op: Op = {
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    return [makeType(dtypeOf(node, type.dtype), type.shape)];
  },
  evaluate(node, inputs, context) {
    const tensor = tensorAt(node, inputs, 0);
    const dtype = dtypeOf(node, tensor.dtype);
    const values = Float64Array.from(doublesOf(tensor), (chance) => (context.random() < chance ? 1 : 0));
    const half = dtype === "float16" || dtype === "bfloat16";
    return [fromDoubles(half ? "float32" : dtype, tensor.shape, values)];
  },
  deterministic: false,
};

export default op;
