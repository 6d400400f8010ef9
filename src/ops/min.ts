import { extremeGradient } from "./gradient/elementwise.ts";
import { lowerExtreme } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { variadic } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** The least of the inputs, with broadcasting; NaN wins. */
const base: Op = variadic(
  (a, b) => Math.min(a, b),
  (a, b) => (a < b ? a : b),
  NUMBERS,
);

const op: Op = {
  ...base,
  gradient: extremeGradient,
  integer: lowerExtreme("Min"),
};

export default op;
