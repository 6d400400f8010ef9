import { variadicGradient } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { variadic } from "./shared/elementwise.ts";
import { FLOATS } from "./shared/types.ts";

/** The sum of the inputs, with broadcasting. */
const op: Op = {
  ...variadic((a, b) => a + b, undefined, FLOATS),
  gradient: variadicGradient(() => 1),
};

export default op;
