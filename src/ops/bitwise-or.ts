import type { Op } from "./op.ts";
import { binary } from "./shared/elementwise.ts";
import { INTEGERS } from "./shared/types.ts";

/** Bits that are set in either. */
const op: Op = binary(
  (a, b) => a | b,
  (a, b) => a | b,
  INTEGERS,
);

export default op;
