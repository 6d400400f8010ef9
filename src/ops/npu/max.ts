import { broadcastCodes } from "../shared/npu/codes.ts";

/** The larger code; both inputs have one quantization. */
export default broadcastCodes(
  () => (a, b) => Math.max(a, b),
  (_, { dtype }, shape) => ({ dtype, shape }),
);
