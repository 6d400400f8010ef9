import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { erf } from "./shared/erf.ts";
import { NUMBERS } from "./shared/types.ts";

/** The error function `2/√π ∫₀ˣ e^(−t²) dt`. */
const op: Op = unary(erf, {
  dtypes: NUMBERS,
  settles: 4,
  gradient: (g, dy, x) => g.mul(g.mul(dy, 2 / Math.sqrt(Math.PI)), g.emit("Exp", [g.neg(square(g, x))])),
});

export default op;
