import { floatAttr } from "../../ir/graph.ts";
import layerNormalization from "../layer-normalization.ts";
import type { Op } from "../op.ts";
import { inferSkip, skipSum } from "../shared/skip.ts";

import { optionalTensorAt } from "../shared/values.ts";

/** LayerNormalization of input + skip (+ bias): inputs x, skip, scale, shift, bias. Output 3 is the sum itself. */
const op: Op = {
  infer: inferSkip,
  evaluate(node, inputs, context) {
    const sum = skipSum(node, inputs, 4);
    const plain = { ...node, attrs: new Map([["epsilon", { f: floatAttr(node, "epsilon", 1e-12) }]]) };
    const parts = [sum, inputs[2], optionalTensorAt(node, inputs, 3)];
    return [...layerNormalization.evaluate(plain, parts, context), sum];
  },
};

export default op;
