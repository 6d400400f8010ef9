import { binaryGradient } from "./gradient/elementwise.ts";
import type { RidingOf } from "./integer.ts";
import { lowerUnary } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { spread } from "./shared/elementwise.ts";
import { broadcastDims, NUMBERS, requireSameDType, typeAt } from "./shared/types.ts";
import { type Element, elementsOf, fromElements, room, tensorAt } from "./shared/values.ts";

function scaled(x: Element, slope: Element): Element {
  if (typeof x === "bigint") return x < 0n ? x * (slope as bigint) : x;
  return Number(x) < 0 ? Number(x) * Number(slope) : x;
}

const riding: RidingOf = (_node, constant) => {
  const slope = constant(1);
  return slope === undefined
    ? undefined
    : { kind: "table", apply: (x) => (x < 0 ? slope * x : x), range: Number.POSITIVE_INFINITY };
};

const gradient = binaryGradient(
  (g, dy, x, slope) => g.emit("Where", [g.emit("Less", [x, 0]), g.mul(dy, slope), dy]),
  (g, dy, x) => g.mul(dy, g.emit("Min", [x, 0])),
);

/** `y = x` for x ≥ 0, `slope · x` below; the slope is broadcast to x. */
const op: Op = {
  gradient,
  riding,
  integer: lowerUnary(riding),
  operands: { data: [0] },
  infer(node, inputs) {
    const [x, slope] = [typeAt(node, inputs, 0, NUMBERS), typeAt(node, inputs, 1, NUMBERS)];
    requireSameDType(node, inputs, 0, 1);
    broadcastDims(node, [x.shape, slope.shape]);
    return [x];
  },
  evaluate(node, inputs) {
    const [x, slope] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const [source, slopes] = [elementsOf(x), spread(slope, x.shape)];
    const target = room(x.dtype, source.length);
    for (let index = 0; index < target.length; index++) target[index] = scaled(source[index], slopes[index]);
    return [fromElements(x.dtype, x.shape, target)];
  },
};

export default op;
