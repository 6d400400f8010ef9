/** Gradients of operators that work element by element. */
import type { DType } from "../../ir/graph.ts";
import type { Gradient, GradientBuilder, GradientContext, Value } from "../gradient.ts";
import { codeOfDType } from "../shared/cast.ts";

/** From the gradient by y to that by x, for y = f(x): `(g, dy, x, y) => g.mul(dy, …)`. */
export type UnaryGradient = (g: GradientContext, dy: Value, x: Value, y: () => Value) => Value;

/** The gradient of a function of one variable. */
export function unaryGradient(rule: UnaryGradient): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    return [dy && g.wants(0) ? rule(g, dy, g.input(0), () => g.output(0)) : undefined];
  };
}

/** For functions that are flat wherever they are smooth (Floor, Sign): nothing goes back. */
export const flatGradient: Gradient = () => [];

export type BinaryGradient = (g: GradientContext, dy: Value, a: Value, b: Value) => Value;

/** For z = f(a, b) with broadcasting: the gradients by both, summed over what was repeated. */
export function binaryGradient(byA: BinaryGradient, byB: BinaryGradient): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    if (dy === undefined) return [];
    const [a, b] = [g.input(0), g.input(1)];
    return [
      g.wants(0) ? g.sumTo(byA(g, dy, a, b), a.shape) : undefined,
      g.wants(1) ? g.sumTo(byB(g, dy, a, b), b.shape) : undefined,
    ];
  };
}

/** The same numbers in another dtype; the same value where it has it. */
export function castTo(g: GradientBuilder, value: Value, dtype: DType): Value {
  return value.dtype === dtype ? value : g.emit("Cast", [value], { attrs: { to: { i: codeOfDType(dtype) } } });
}

/** 1 where a test holds and 0 elsewhere, in the dtype of `like`. */
export function indicator(g: GradientBuilder, test: Value, like: Value): Value {
  return castTo(g, test, like.dtype);
}

/** `value` where a test holds, else 0. */
export function masked(g: GradientBuilder, value: Value, test: Value): Value {
  return g.mul(value, indicator(g, test, value));
}

export function square(g: GradientBuilder, x: Value): Value {
  return g.mul(x, x);
}

/** The logistic function's derivative, from its value. */
export function sigmoidSlope(g: GradientBuilder, y: Value): Value {
  return g.mul(y, g.sub(1, y));
}

/**
 * For the extreme of several values: the first that is equal to the result gets the gradient. `left` is 1 where none of the
 * values so far was.
 */
export const extremeGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const y = g.output(0);
  let left: Value | undefined;
  return g.node.inputs.map((_, index) => {
    const x = g.input(index);
    const equal = indicator(g, g.emit("Equal", [x, y]), y);
    const taken = left === undefined ? equal : g.mul(equal, left);
    const last = index === g.node.inputs.length - 1;
    if (!last) left = left === undefined ? g.sub(1, equal) : g.mul(left, g.sub(1, equal));
    return g.wants(index) ? g.sumTo(g.mul(dy, taken), x.shape) : undefined;
  });
};

/** For a sum of several values, each weighted by what `weight` gives for their number. */
export function variadicGradient(weight: (count: number) => number): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    if (dy === undefined) return [];
    const each = weight(g.node.inputs.length);
    const weighted = each === 1 ? dy : g.mul(dy, each);
    return g.node.inputs.map((_, index) => (g.wants(index) ? g.sumTo(weighted, g.input(index).shape) : undefined));
  };
}
