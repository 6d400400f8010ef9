import type { Op } from "./op.ts";
import { randomLike, uniform } from "./shared/random.ts";

/** Independent uniform draws from [`low`, `high`), in the input's shape. */
const op: Op = randomLike(uniform);

export default op;
