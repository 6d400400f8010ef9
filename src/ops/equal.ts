import type { Op } from "./op.ts";
import { comparison } from "./shared/elementwise.ts";
import { BOOL, NUMBERS } from "./shared/types.ts";

/** `a = b`, for numbers, booleans and strings. NaN equals nothing. */
const op: Op = comparison((a, b) => a === b, [...NUMBERS, ...BOOL, "string"]);

export default op;
