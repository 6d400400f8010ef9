import { floatAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { inferSkip, skipSum } from "../shared/skip.ts";
import simplified from "../simplified-layer-normalization.ts";

/** RMSNormalization of input + skip (+ bias): inputs x, skip, scale, bias. Output 3 is the sum itself; output 1 is unused. */
const op: Op = {
  infer: inferSkip,
  evaluate(node, inputs, context) {
    const sum = skipSum(node, inputs, 3);
    const plain = { ...node, attrs: new Map([["epsilon", { f: floatAttr(node, "epsilon", 1e-5) }]]) };
    const [result, factor] = simplified.evaluate(plain, [sum, inputs[2]], context);
    return [result, undefined, factor, sum];
  },
};

export default op;
