import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryTest } from "./shared/elementwise.ts";
import { FLOATS } from "./shared/types.ts";

/** Whether x is +∞ (`detect_positive`) or −∞ (`detect_negative`). */
const op: Op = unaryTest((node) => {
  const positive = intAttr(node, "detect_positive", 1) === 1;
  const negative = intAttr(node, "detect_negative", 1) === 1;
  return (x) => (positive && x === Number.POSITIVE_INFINITY) || (negative && x === Number.NEGATIVE_INFINITY);
}, FLOATS);

export default op;
