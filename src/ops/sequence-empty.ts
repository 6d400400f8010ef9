import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { dtypeOfCode } from "./shared/cast.ts";
import { sequenceOf } from "./shared/sequence.ts";
import { makeType, reject } from "./shared/types.ts";

/** A sequence of no tensors; `dtype` (TensorProto.DataType) says what it may hold, float32 if left out. */
const op: Op = {
  infer(node) {
    const code = intAttr(node, "dtype", 1);
    return [sequenceOf(makeType(dtypeOfCode(code) ?? reject(node, `the data type ${code} is not known`)))];
  },
  evaluate: () => [[]],
};

export default op;
