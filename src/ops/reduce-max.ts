import { extremeOfGradient } from "./gradient/reduce.ts";
import { lowerReduce } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { lowestOf } from "./shared/limits.ts";
import { reduction } from "./shared/reduce.ts";
import { BOOL, NUMBERS } from "./shared/types.ts";

/** Greatest element along axes; NaN wins. Of nothing: the lowest number of the dtype. */
const base: Op = reduction(
  {
    number: (values, dtype) => values.reduce((best, x) => Math.max(best, x), Number(lowestOf(dtype))),
    big: (values, dtype) => values.reduce((best, x) => (x > best ? x : best), BigInt(lowestOf(dtype))),
  },
  [...NUMBERS, ...BOOL],
);

const op: Op = {
  ...base,
  gradient: extremeOfGradient,
  integer: lowerReduce("max"),
  operands: { data: [0] },
};

export default op;
