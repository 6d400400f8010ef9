import { floatAttr } from "../ir/graph.ts";
import { masked } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** `y = x + bias` for x < −λ, `x − bias` for x > λ, else 0. */
const op: Op = unaryOf(
  (node) => {
    const bias = floatAttr(node, "bias", 0);
    const lambda = floatAttr(node, "lambd", 0.5);
    return (x) => (x < -lambda ? x + bias : x > lambda ? x - bias : 0);
  },
  {
    dtypes: NUMBERS,
    gradient: (g, dy, x) => masked(g, dy, g.emit("Greater", [g.emit("Abs", [x]), floatAttr(g.node, "lambd", 0.5)])),
  },
);

export default op;
