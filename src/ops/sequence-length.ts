import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { elementTypeAt } from "./shared/sequence.ts";
import { makeType } from "./shared/types.ts";
import { sequenceAt } from "./shared/values.ts";

/** How many tensors a sequence holds. */
const op: Op = {
  infer(node, inputs) {
    elementTypeAt(node, inputs, 0);
    return [makeType("int64", [])];
  },
  evaluate: (node, inputs) => [int64([], [sequenceAt(node, inputs, 0).length])],
};

export default op;
