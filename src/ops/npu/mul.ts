import { intAttr } from "../../ir/graph.ts";
import { broadcastCodes, postInputs, requirePost, storedType } from "../shared/npu/codes.ts";
import { postStage } from "../shared/npu/requantize.ts";

/** v = (a − a_zero)·(b − b_zero), broadcast. */
export default broadcastCodes(
  (node, inputs) => {
    const [aZero, bZero] = [intAttr(node, "a_zero", 0), intAttr(node, "b_zero", 0)];
    const store = postStage(node, postInputs(node, inputs, 2));
    return (a, b) => store((a - aZero) * (b - bZero), 0);
  },
  (node, _, shape) => storedType(node, shape),
  (node, inputs) => requirePost(node, inputs, 2, 1),
);
