import { flatGradient } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** The least integer that is not below x. */
const op: Op = { ...unary(Math.ceil), gradient: flatGradient };

export default op;
