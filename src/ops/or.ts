import type { Op } from "./op.ts";
import { binary } from "./shared/elementwise.ts";
import { BOOL } from "./shared/types.ts";

/** At least one is true. */
const op: Op = binary((a, b) => a | b, undefined, BOOL);

export default op;
