import { stringAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { inferBroadcast, zip } from "./shared/elementwise.ts";
import { reject, UNSIGNED } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** `z = a · 2ᵇ` modulo the width (direction LEFT) or `⌊a / 2ᵇ⌋` (RIGHT); shifting by the width or more leaves 0. */
const op: Op = {
  infer: inferBroadcast(UNSIGNED),
  evaluate(node, inputs) {
    const [a, b] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const direction = stringAttr(node, "direction", "");
    if (direction !== "LEFT" && direction !== "RIGHT")
      reject(node, `direction "${direction}" is neither LEFT nor RIGHT`);
    const left = direction === "LEFT";
    return [
      zip(node, a, b, a.dtype, (x, y) => {
        if (typeof x === "bigint") {
          const by = y as bigint;
          if (by >= 64n) return 0n;
          return left ? x << by : x >> by;
        }
        const factor = 2 ** Math.min(Number(y), 64);
        // A product with a power of two is exact in double, and storing it keeps the low bits.
        return left ? Number(x) * factor : Math.floor(Number(x) / factor);
      }),
    ];
  },
};

export default op;
