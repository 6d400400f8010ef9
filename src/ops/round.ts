import { roundHalfEven } from "../ir/numbers.ts";
import { flatGradient } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** The nearest integer; halves go to the even one. */
const op: Op = { ...unary(roundHalfEven), gradient: flatGradient };

export default op;
