import { elementCount } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { makeType, typeAt } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** The number of elements. */
const op: Op = {
  infer(node, inputs) {
    typeAt(node, inputs, 0);
    return [makeType("int64", [])];
  },
  evaluate(node, inputs) {
    return [int64([], [elementCount(tensorAt(node, inputs, 0).shape)])];
  },
};

export default op;
