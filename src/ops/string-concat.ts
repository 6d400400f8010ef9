import type { Op } from "./op.ts";
import { inferBroadcast, zip } from "./shared/elementwise.ts";
import { tensorAt } from "./shared/values.ts";

/** Each string of a followed by its string of b, with broadcasting. */
const op: Op = {
  infer: inferBroadcast(["string"]),
  evaluate(node, inputs) {
    const [a, b] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    return [zip(node, a, b, "string", (x, y) => `${x}${y}`)];
  },
};

export default op;
