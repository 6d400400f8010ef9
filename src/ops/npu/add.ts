import { intAttr } from "../../ir/graph.ts";
import { broadcastCodes, postInputs, requirePost, storedType } from "../shared/npu/codes.ts";
import { postStage } from "../shared/npu/requantize.ts";

/** v = (a − a_zero)·a_multiplier + (b − b_zero)·b_multiplier, broadcast; a difference has one multiplier negative. */
export default broadcastCodes(
  (node, inputs) => {
    const [aZero, bZero] = [intAttr(node, "a_zero", 0), intAttr(node, "b_zero", 0)];
    const [aFactor, bFactor] = [intAttr(node, "a_multiplier", 1), intAttr(node, "b_multiplier", 1)];
    const store = postStage(node, postInputs(node, inputs, 2));
    return (a, b) => store((a - aZero) * aFactor + (b - bZero) * bFactor, 0);
  },
  (node, _, shape) => storedType(node, shape),
  (node, inputs) => requirePost(node, inputs, 2, 1),
);
