import type { Op } from "./op.ts";
import { binary } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** `z = a − b` with broadcasting; integers wrap. */
const op: Op = binary(
  (a, b) => a - b,
  (a, b) => a - b,
  NUMBERS,
);

export default op;
