import { indicator } from "./gradient/elementwise.ts";
import type { Gradient } from "./gradient.ts";
import type { Op } from "./op.ts";
import { spread } from "./shared/elementwise.ts";
import { broadcastShapes } from "./shared/index.ts";
import { BOOL, broadcastDims, makeType, requireSameDType, typeAt } from "./shared/types.ts";
import { fromElements, room, tensorAt } from "./shared/values.ts";

const gradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const chosen = indicator(g, g.input(0), dy);
  return [
    undefined,
    g.wants(1) ? g.sumTo(g.mul(dy, chosen), g.input(1).shape) : undefined,
    g.wants(2) ? g.sumTo(g.mul(dy, g.sub(1, chosen)), g.input(2).shape) : undefined,
  ];
};

/** Elements of input 1 where the condition holds, else of input 2; all three are broadcast. */
const op: Op = {
  gradient,
  hostOnly: "its condition is not made of comparisons of real numbers, or it selects integers",
  infer(node, inputs) {
    const types = [typeAt(node, inputs, 0, BOOL), typeAt(node, inputs, 1), typeAt(node, inputs, 2)];
    requireSameDType(node, inputs, 1, 2);
    const shapes = types.map((type) => type.shape);
    return [makeType(types[1].dtype, broadcastDims(node, shapes))];
  },
  evaluate(node, inputs) {
    const [condition, x, y] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const shape = broadcastShapes(node, [condition.shape, x.shape, y.shape]);
    const [test, yes, no] = [spread(condition, shape), spread(x, shape), spread(y, shape)];
    const target = room(x.dtype, test.length);
    for (let index = 0; index < target.length; index++) target[index] = test[index] ? yes[index] : no[index];
    return [fromElements(x.dtype, shape, target)];
  },
};

export default op;
