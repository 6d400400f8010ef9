import { biasedGradient, exactSlope } from "../gradient/gelu.ts";
import type { Op } from "../op.ts";
import { binary } from "../shared/elementwise.ts";
import { erf } from "../shared/erf.ts";
import { FLOATS } from "../shared/types.ts";

/** `y = s · Φ(s)` of the sum s of the input and a bias along its last axis. */
const base: Op = binary(
  (x, bias) => {
    const sum = x + bias;
    return 0.5 * sum * (1 + erf(sum / Math.SQRT2));
  },
  undefined,
  FLOATS,
);

const op: Op = {
  ...base,
  gradient: biasedGradient(exactSlope),
};

export default op;
