import type { Op } from "./op.ts";
import { normal, randomLike } from "./shared/random.ts";

/** Independent normal draws: `mean`, `scale` (the standard deviation), in the input's shape. */
const op: Op = randomLike(normal);

export default op;
