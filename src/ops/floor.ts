import { flatGradient } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** The greatest integer that is not above x. */
const op: Op = { ...unary(Math.floor), gradient: flatGradient };

export default op;
