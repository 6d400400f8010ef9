import { broadcastCodes } from "../shared/npu/codes.ts";

/** The smaller code; both inputs have one quantization. */
export default broadcastCodes(
  () => (a, b) => Math.min(a, b),
  (_, { dtype }, shape) => ({ dtype, shape }),
);
