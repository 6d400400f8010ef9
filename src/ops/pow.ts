import { type DType, elementCount } from "../ir/graph.ts";
import { type BinaryGradient, binaryGradient, castTo } from "./gradient/elementwise.ts";
import type { RidingOf } from "./integer.ts";
import { lowerUnary } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { zip } from "./shared/elementwise.ts";
import { broadcastDims, FLOATS, INTEGERS, makeType, NUMBERS, SIGNED, typeAt } from "./shared/types.ts";
import { type Element, elementsOf, tensorAt } from "./shared/values.ts";

const BASES: readonly DType[] = [...FLOATS, ...SIGNED];

/** Exact for integers, as long as the exponent is one; what is stored of it is then its low bits. */
function power(base: Element, exponent: Element, isInteger: boolean): Element {
  if (!isInteger) return Number(base) ** Number(exponent);
  const whole = typeof exponent === "bigint" || Number.isInteger(exponent);
  if (!whole || Number(exponent) < 0) {
    const result = Math.trunc(Number(base) ** Number(exponent));
    const finite = Number.isFinite(result) ? result : 0;
    return typeof base === "bigint" ? BigInt(finite) : finite;
  }
  const exact = BigInt.asIntN(64, modularPower(BigInt(base), BigInt(exponent)));
  return typeof base === "bigint" ? exact : Number(BigInt.asIntN(32, exact));
}

/** Square and multiply modulo 2^64, so that a hostile exponent costs nothing. */
function modularPower(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let factor = base; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = BigInt.asIntN(64, result * factor);
    factor = BigInt.asIntN(64, factor * factor);
  }
  return result;
}

const riding: RidingOf = (_node, constant) => {
  const exponent = constant(1);
  return exponent === undefined
    ? undefined
    : { kind: "table", apply: (x) => x ** exponent, range: Number.POSITIVE_INFINITY };
};

const byBase: BinaryGradient = (g, dy, a, b) => {
  const known = g.constant(1);
  const exponent = known !== undefined && elementCount(known.shape) === 1 ? Number(elementsOf(known)[0]) : undefined;
  if (exponent === 2) return g.mul(dy, g.mul(a, 2));
  const real = castTo(g, b, a.dtype);
  return g.mul(dy, g.mul(real, g.emit("Pow", [a, g.sub(real, 1)])));
};

/** z · ln a, which is 0 at a = 0 (z ln a tends to 0 there for b > 0). */
const byExponent: BinaryGradient = (g, dy, a, b) => {
  const positive = g.emit("Greater", [a, 0]);
  const log = g.emit("Log", [g.emit("Where", [positive, a, 1])]);
  return castTo(g, g.mul(dy, g.mul(g.output(0), log)), b.dtype);
};

/** `z = aᵇ` with broadcasting, in the dtype of a. Integers wrap; a fractional or negative power is truncated. */
const op: Op = {
  riding,
  integer: lowerUnary(riding),
  operands: { data: [0] },
  gradient: binaryGradient(byBase, byExponent),
  infer(node, inputs) {
    const [base, exponent] = [typeAt(node, inputs, 0, BASES), typeAt(node, inputs, 1, NUMBERS)];
    return [makeType(base.dtype, broadcastDims(node, [base.shape, exponent.shape]))];
  },
  evaluate(node, inputs) {
    const [base, exponent] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const isInteger = INTEGERS.includes(base.dtype);
    return [zip(node, base, exponent, base.dtype, (a, b) => power(a, b, isInteger))];
  },
};

export default op;
