/** What each operator's gradient is checked on. */
import type { GradientCase } from "../../harness/gradient.ts";
import { BLOCKED_CONVOLUTIONS } from "./blocked.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { MOVES, POOLS } from "./moves.ts";
import { LOSSES, NORMS, REDUCTIONS } from "./norms.ts";
import { CONVOLUTIONS, PRODUCTS } from "./products.ts";
import { RECURRENT, RESAMPLED, TRANSPOSED } from "./recurrent.ts";

export const GRADIENT_CASES: readonly GradientCase[] = [
  ...ELEMENTWISE,
  ...PRODUCTS,
  ...CONVOLUTIONS,
  ...BLOCKED_CONVOLUTIONS,
  ...REDUCTIONS,
  ...NORMS,
  ...LOSSES,
  ...POOLS,
  ...MOVES,
  ...RECURRENT,
  ...RESAMPLED,
  ...TRANSPOSED,
];
