/**
 * Gradients of fake quantization, operator by operator, so that the pair gives LSQ (Esser et al. 2020) and LSQ+ (Bhalgat et
 * al. 2020). With q = clamp(round(v) + z), v = x/s, y = (q − z)·s, and rounding passed straight through where nothing was
 * clamped: `dx = dy` inside, 0 outside; `ds = dy·(round(v) − v)` inside, `dy·(bound − z)` outside; `dz = −dy·s` outside.
 */
import { type DType, intAttr } from "../../ir/graph.ts";
import { integerRange } from "../../ir/numbers.ts";
import type { Gradient, GradientContext, Value } from "../gradient.ts";
import { reject, resolveAxis } from "../shared/types.ts";
import { castTo, indicator } from "./elementwise.ts";

/** A scale or zero point, as reals in a shape that broadcasts to x, and the way back to its own. */
function spread(
  g: GradientContext,
  index: number,
  x: Value,
  dtype: DType,
): { value: Value; back: (by: Value) => Value } | undefined {
  const given = g.optional(index);
  if (given === undefined) return undefined;
  if (intAttr(g.node, "block_size", 0) !== 0) reject(g.node, "no gradient is known for scales of blocks");
  const single = given.shape.length <= 1 && (given.shape[0] ?? 1) === 1;
  const axis = single ? 0 : resolveAxis(g.node, intAttr(g.node, "axis", 1), x.shape.length);
  const shape = single ? x.shape.map(() => 1) : x.shape.map((size, at) => (at === axis ? size : 1));
  // Codes are cast before they are reshaped: ONNX Runtime reshapes no 4-bit numbers.
  const value = g.reshape(castTo(g, given, dtype), shape);
  return { value, back: (by) => g.reshape(g.sumTo(by, shape), given.shape) };
}

/** y = (q − z)·s: the gradient by q is that by a real number, and q − z is y/s. */
export const dequantizeGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const codes = g.input(0);
  const scale = spread(g, 1, codes, dy.dtype);
  const zero = g.wants(2) ? spread(g, 2, codes, dy.dtype) : undefined;
  if (scale === undefined) return [];
  const scaled = g.wants(0) || zero ? g.mul(dy, scale.value) : undefined;
  return [
    g.wants(0) ? scaled : undefined,
    g.wants(1) ? scale.back(g.div(g.mul(dy, g.output(0)), scale.value)) : undefined,
    zero && scaled ? zero.back(g.neg(scaled)) : undefined,
  ];
};

/** q = clamp(round(x/s) + z), rounding passed straight through: 1/s by x and −v/s by s inside, nothing where q is at a bound by force. */
export const quantizeGradient: Gradient = (g) => {
  const dq = g.arriving(0);
  if (dq === undefined) return [];
  const [x, codes] = [g.input(0), g.output(0)];
  const scale = spread(g, 1, x, x.dtype);
  if (scale === undefined) return [];
  if (!/^u?int/.test(codes.dtype)) reject(g.node, `no gradient is known for codes in ${codes.dtype}`);
  const zero = spread(g, 2, x, x.dtype);
  const [low, high] = integerRange(codes.dtype);
  const steps = g.div(x, scale.value);
  const place = zero ? g.add(steps, zero.value) : steps;
  // What rounds to a bound is inside: the bounds of v reach half a step further.
  const inside = g.emit("And", [
    g.emit("GreaterOrEqual", [place, low - 0.5]),
    g.emit("LessOrEqual", [place, high + 0.5]),
  ]);
  const passed = g.mul(dq, indicator(g, inside, dq));
  return [
    g.wants(0) ? g.div(passed, scale.value) : undefined,
    g.wants(1) ? scale.back(g.neg(g.div(g.mul(passed, steps), scale.value))) : undefined,
    zero && g.wants(2) ? zero.back(passed) : undefined,
  ];
};
