import { masked } from "./gradient/elementwise.ts";
import type { Gradient, GradientContext, Value } from "./gradient.ts";
import type { RidingOf } from "./integer.ts";
import { lowerUnary } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { mapTensor } from "./shared/elementwise.ts";
import { NUMBERS, reject, requireSameDType, typeAt } from "./shared/types.ts";
import { elementsOf, optionalTensorAt, tensorAt } from "./shared/values.ts";

const riding: RidingOf = (node, constant) => {
  const low = node.inputs[1] ? constant(1) : Number.NEGATIVE_INFINITY;
  const high = node.inputs[2] ? constant(2) : Number.POSITIVE_INFINITY;
  return low === undefined || high === undefined ? undefined : { kind: "clamp", low, high };
};

/** Steep enough that one unit in the last place of a bound saturates, and a power of two, so that the bound itself gives 0. */
const STEEP = 2 ** 120;
/** Bounds up to here, times STEEP, are finite in float32. */
const STEEP_BOUND = 128;

/** 1 where y lies above (sign 1) or below (−1) a known bound, else 0, in one pass without booleans; undefined where it is not known. */
function beyond(g: GradientContext, y: Value, index: number, sign: number): Value | undefined {
  const known = g.constant(index);
  const bound = known && Number(elementsOf(known)[0]);
  if (bound === undefined || !(Math.abs(bound) <= STEEP_BOUND)) return undefined;
  const attrs = { alpha: { f: sign * STEEP }, beta: { f: -sign * bound * STEEP } };
  return g.emit("HardSigmoid", [y], { attrs });
}

/** With known bounds alone: y strictly between them is what passed. */
function betweenKnown(g: GradientContext, dy: Value): Value | undefined {
  if (g.wants(1) || g.wants(2) || dy.dtype === "float16") return undefined;
  const y = g.output(0);
  const above = g.optional(1) && beyond(g, y, 1, 1);
  const below = g.optional(2) && beyond(g, y, 2, -1);
  if ((g.optional(1) && !above) || (g.optional(2) && !below)) return undefined;
  return [above, below].reduce<Value>((value, mask) => (mask ? g.mul(value, mask) : value), dy);
}

/** What passes goes to x; what is held at a bound, to the bound. Where low ≥ high all is held at high. */
const gradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const passed = betweenKnown(g, dy);
  if (passed !== undefined) return [passed];
  const [x, low, high] = [g.input(0), g.optional(1), g.optional(2)];
  const above = high && g.emit("Greater", [low ? g.emit("Max", [x, low]) : x, high]);
  const under = low && g.emit("Less", [x, low]);
  const notAbove = above && g.emit("Not", [above]);
  const notUnder = under && g.emit("Not", [under]);
  const inside = notAbove && notUnder ? g.emit("And", [notAbove, notUnder]) : (notAbove ?? notUnder);
  const heldLow = under && notAbove ? g.emit("And", [under, notAbove]) : under;
  const held = (bound: Value | undefined, test: Value | undefined) =>
    bound && test && g.sumTo(masked(g, dy, test), bound.shape);
  return [
    g.wants(0) ? (inside ? masked(g, dy, inside) : dy) : undefined,
    g.wants(1) ? held(low, heldLow) : undefined,
    g.wants(2) ? held(high, above) : undefined,
  ];
};

/** `y = min(max(x, low), high)`; inputs 1 and 2 are scalars and may be absent. Where low > high, y is high. */
const op: Op = {
  riding,
  integer: lowerUnary(riding),
  operands: { data: [0] },
  gradient,
  infer(node, inputs) {
    requireSameDType(node, inputs, 0, 1);
    requireSameDType(node, inputs, 0, 2);
    return [typeAt(node, inputs, 0, NUMBERS)];
  },
  evaluate(node, inputs) {
    const bound = (index: number): number | bigint | undefined => {
      const tensor = optionalTensorAt(node, inputs, index);
      if (tensor === undefined) return undefined;
      const values = elementsOf(tensor);
      if (values.length !== 1) reject(node, `the bound at input ${index} has ${values.length} elements, not one`);
      return values[0] as number | bigint;
    };
    const [low, high] = [bound(1), bound(2)];
    const clip = <N extends number | bigint>(x: N): N => {
      const raised = low !== undefined && x < low ? (low as N) : x;
      return high !== undefined && raised > high ? (high as N) : raised;
    };
    return [mapTensor(tensorAt(node, inputs, 0), clip, clip)];
  },
};

export default op;
