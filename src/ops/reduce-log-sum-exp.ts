import { logSumExpGradient } from "./gradient/reduce.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

function logSumExp(values: readonly number[]): number {
  const greatest = values.reduce((m, x) => Math.max(m, x), Number.NEGATIVE_INFINITY);
  // Where the greatest is infinite the result is that infinity; the difference would be NaN.
  if (!Number.isFinite(greatest)) return greatest;
  return greatest + Math.log(values.reduce((sum, x) => sum + Math.exp(x - greatest), 0));
}

/** `ln ∑ eˣ` along axes, as `m + ln ∑ e^(x − m)` with the greatest element m, so that nothing overflows. */
const op: Op = {
  ...reduction({ number: logSumExp }),
  gradient: logSumExpGradient,
};

export default op;
