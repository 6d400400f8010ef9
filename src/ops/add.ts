import { binaryGradient } from "./gradient/elementwise.ts";
import { lowerAdd, ridingScalar } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { binary } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** `z = a + b` with broadcasting; integers wrap. */
const base: Op = binary(
  (a, b) => a + b,
  (a, b) => a + b,
  NUMBERS,
);

const op: Op = {
  ...base,
  gradient: binaryGradient(
    (_g, dy) => dy,
    (_g, dy) => dy,
  ),
  integer: lowerAdd(1),
  carries: true,
  riding: ridingScalar((x, c) => x + c),
};

export default op;
