import gelu from "../gelu.ts";
import type { Op } from "../op.ts";

/** `y = x · Φ(x)`: ONNX's own Gelu without the attribute. */
const op: Op = gelu;

export default op;
