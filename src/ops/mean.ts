import { variadicGradient } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { variadic } from "./shared/elementwise.ts";
import { FLOATS } from "./shared/types.ts";

/** The mean of the inputs, with broadcasting. */
const op: Op = {
  ...variadic(
    (a, b) => a + b,
    undefined,
    FLOATS,
    (total, inputs) => total / inputs,
  ),
  gradient: variadicGradient((count) => 1 / count),
};

export default op;
