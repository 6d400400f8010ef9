import type { Op } from "./op.ts";
import { normal, randomOfShape } from "./shared/random.ts";

/** Independent normal draws: `mean`, `scale` (the standard deviation), in the shape that the attribute names. */
const op: Op = randomOfShape(normal);

export default op;
