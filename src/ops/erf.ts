import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { erf } from "./shared/erf.ts";
import { NUMBERS } from "./shared/types.ts";

/** The error function `2/√π ∫₀ˣ e^(−t²) dt`. */
const op: Op = unary(erf, { dtypes: NUMBERS, settles: 4 });

export default op;
