import type { Op } from "./op.ts";
import { randomOfShape, uniform } from "./shared/random.ts";

/** Independent uniform draws from [`low`, `high`), in the shape that the attribute names. */
const op: Op = randomOfShape(uniform);

export default op;
