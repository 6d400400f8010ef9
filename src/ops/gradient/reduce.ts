/** Gradients of the ReduceX family. */
import { elementCount, intAttr } from "../../ir/graph.ts";
import { int64 } from "../../ir/tensor.ts";
import type { Gradient, GradientContext, Value } from "../gradient.ts";
import { integersOf } from "../shared/integers.ts";
import { reducedAxes } from "../shared/reduce.ts";
import { indicator } from "./elementwise.ts";

/** What a rule is given: all in shapes that broadcast to x's. */
interface Reduced {
  readonly dy: Value;
  readonly x: Value;
  readonly y: () => Value;
  readonly axes: readonly number[];
}

/** The gradient of a reduction; `rule` gives it in x's shape or one that broadcasts to it. */
export function reduceGradient(rule: (g: GradientContext, reduced: Reduced) => Value): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    if (dy === undefined || !g.wants(0)) return [];
    const x = g.input(0);
    const given = g.optional(1) && g.constant(1);
    // Axes that are computed while the model runs cannot be told apart from each other by the shape alone.
    const axes = [...reducedAxes(g.node, given && integersOf(given), x.shape.length)];
    const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const keepdims = intAttr(g.node, "keepdims", 1) === 1;
    const spread = (value: Value): Value => (keepdims ? value : g.reshape(value, kept));
    return [g.expand(rule(g, { dy: spread(dy), x, y: () => spread(g.output(0)), axes }), x.shape)];
  };
}

export const meanGradient = reduceGradient((g, { dy, x, axes }) =>
  g.mul(dy, 1 / elementCount(axes.map((axis) => x.shape[axis]))),
);

/** The elements that are equal to the extreme share its gradient. */
export const extremeOfGradient = reduceGradient((g, { dy, x, y, axes }) => {
  const equal = indicator(g, g.emit("Equal", [x, y()]), x);
  return g.mul(equal, g.div(dy, g.sum(equal, axes, true)));
});

/** y = √Σx²: x/y, and 0 at the origin, where there is a corner. */
export const rootGradient = reduceGradient((g, { dy, x, y }) => {
  const length = y();
  const zero = g.emit("Equal", [length, 0]);
  return g.mul(x, g.div(dy, g.emit("Where", [zero, 1, length])));
});

/**
 * Each factor's gradient is the product of the others: y/x where nothing is zero, the product of the rest at a single zero,
 * else 0.
 */
export const productGradient = reduceGradient((g, { dy, x, axes }) => {
  const zero = g.emit("Equal", [x, 0]);
  const isZero = indicator(g, zero, x);
  const zeros = g.sum(isZero, axes, true);
  const filled = g.emit("Where", [zero, 1, x]);
  const attrs = { keepdims: { i: 1 } };
  const rest = g.emit("ReduceProd", [filled, int64([axes.length], axes)], { attrs });
  const others = g.div(rest, filled);
  const single = g.mul(isZero, indicator(g, g.emit("Equal", [zeros, 1]), x));
  const none = indicator(g, g.emit("Equal", [zeros, 0]), x);
  return g.mul(g.mul(dy, others), g.add(none, single));
});

export const absoluteGradient = reduceGradient((g, { dy, x }) => g.mul(dy, g.emit("Sign", [x])));
export const squareGradient = reduceGradient((g, { dy, x }) => g.mul(g.mul(dy, 2), x));
export const sumGradient = reduceGradient((_, { dy }) => dy);
export const logSumGradient = reduceGradient((g, { dy, y }) => g.div(dy, g.emit("Exp", [y()])));
export const logSumExpGradient = reduceGradient((g, { dy, x, y }) => g.mul(dy, g.emit("Exp", [g.sub(x, y())])));
