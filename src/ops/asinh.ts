import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arsinh(x)`. */
const op: Op = unary(Math.asinh);

export default op;
