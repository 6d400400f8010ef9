import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { INTEGERS } from "./shared/types.ts";

/** All bits turned over. */
const op: Op = unary((x) => ~x, { dtypes: INTEGERS, big: (x) => ~x });

export default op;
