import { extremeGradient } from "./gradient/elementwise.ts";
import { lowerExtreme } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { variadic } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** The greatest of the inputs, with broadcasting; NaN wins. */
const base: Op = variadic(
  (a, b) => Math.max(a, b),
  (a, b) => (a > b ? a : b),
  NUMBERS,
);

const op: Op = {
  ...base,
  gradient: extremeGradient,
  integer: lowerExtreme("Max"),
};

export default op;
