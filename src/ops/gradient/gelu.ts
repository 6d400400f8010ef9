/** Slopes of the forms of Gelu, and of Swish. */
import type { Gradient, GradientBuilder, Value } from "../gradient.ts";
import { square } from "./elementwise.ts";

/** Φ(x) from a = x/√2: (1 + erf a)/2, a HardSigmoid that never clamps. */
function cumulative(g: GradientBuilder, a: Value): Value {
  return g.emit("HardSigmoid", [g.emit("Erf", [a])], { attrs: { alpha: { f: 0.5 }, beta: { f: 0.5 } } });
}

/** x·φ(x) from a = x/√2: a / e^(a²) / √π, which has no pass for a sign; the factor last, so that a sum after it can take it in. */
function bell(g: GradientBuilder, a: Value): Value {
  return g.mul(g.div(a, g.emit("Exp", [square(g, a)])), 1 / Math.sqrt(Math.PI));
}

/** Φ(x) + x·φ(x). */
export function exactSlope(g: GradientBuilder, x: Value): Value {
  const a = g.mul(x, Math.SQRT1_2);
  return g.add(cumulative(g, a), bell(g, a));
}

/** With u = √(2/π)·(x + 0.044715·x³) and t = tanh u: (1 + t)/2 + x/2·(1 − t²)·u'. */
export function tanhSlope(g: GradientBuilder, x: Value): Value {
  const root = Math.sqrt(2 / Math.PI);
  const squared = square(g, x);
  const t = g.emit("Tanh", [g.mul(x, g.add(g.mul(squared, 0.044715 * root), root))]);
  const slope = g.add(g.mul(squared, 3 * 0.044715 * root), root);
  const bend = g.mul(g.mul(x, g.sub(1, square(g, t))), slope);
  return g.mul(g.add(g.add(t, bend), 1), 0.5);
}

/** With s = σ(αx) and y = x·s: s + α·y·(1 − s). */
export function swishSlope(g: GradientBuilder, x: Value, y: Value, alpha: number): Value {
  const s = g.emit("Sigmoid", [alpha === 1 ? x : g.mul(x, alpha)]);
  const bent = g.mul(y, g.sub(1, s));
  return g.add(s, alpha === 1 ? bent : g.mul(bent, alpha));
}

/** For f(x + b), the bias optional and along the last axis. */
export function biasedGradient(slope: (g: GradientBuilder, x: Value) => Value): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    if (dy === undefined) return [];
    const [x, bias] = [g.input(0), g.optional(1)];
    const by = g.mul(dy, slope(g, bias ? g.add(x, bias) : x));
    return [g.wants(0) ? g.sumTo(by, x.shape) : undefined, bias && g.wants(1) ? g.sumTo(by, bias.shape) : undefined];
  };
}
