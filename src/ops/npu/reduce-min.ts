import { winner } from "../shared/npu/reduce.ts";

/** The smallest code along `axes` (all if absent). */
export default winner(Math.min, Number.POSITIVE_INFINITY);
