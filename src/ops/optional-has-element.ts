import { scalar } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { makeType } from "./shared/types.ts";

/** Whether the optional holds something; a tensor or sequence counts as one that does, an absent input as none. */
const op: Op = {
  infer: () => [makeType("bool", [])],
  evaluate: (_node, inputs) => [scalar("bool", inputs[0] === undefined ? 0 : 1)],
};

export default op;
