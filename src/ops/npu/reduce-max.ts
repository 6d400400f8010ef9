import { winner } from "../shared/npu/reduce.ts";

/** The largest code along `axes` (all if absent). */
export default winner(Math.max, Number.NEGATIVE_INFINITY);
