import { bug } from "../error.ts";
import type { Gradient, Value } from "./gradient.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/**
 * With h = HardSigmoid(x) = max(0, min(1, x/6 + 1/2)), which is then kept from the forward pass, y = x·h and the slope is
 * h + x/6 between −3 and 3, and h, which is 0 or 1, elsewhere. x without what lies between is Shrink, one pass without booleans.
 */
const gradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const x = g.input(0);
  const [y] = g.node.outputs;
  let inner: Value | undefined;
  g.instead((forward) => {
    inner = forward.emit("HardSigmoid", [x], { attrs: { alpha: { f: 1 / 6 }, beta: { f: 0.5 } } });
    forward.emit("Mul", [x, inner], { outputs: [y] });
  });
  const outside = g.emit("Shrink", [x], { attrs: { lambd: { f: 3 }, bias: { f: 0 } } });
  const slope = g.add(inner ?? bug("no HardSigmoid was made"), g.mul(g.sub(x, outside), 1 / 6));
  return [g.mul(dy, slope)];
};

/** `y = x · max(0, min(1, x/6 + 1/2))`. */
const op: Op = { ...unary((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))), gradient };

export default op;
