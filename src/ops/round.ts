import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

function roundToEven(x: number): number {
  const low = Math.floor(x);
  const part = x - low;
  if (part !== 0.5) return part < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** The nearest integer; halves go to the even one. */
const op: Op = unary(roundToEven);

export default op;
