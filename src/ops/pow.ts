import type { DType } from "../ir/graph.ts";
import type { RidingOf } from "./integer.ts";
import { lowerUnary } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { zip } from "./shared/elementwise.ts";
import { broadcastDims, FLOATS, INTEGERS, makeType, NUMBERS, SIGNED, typeAt } from "./shared/types.ts";
import { type Element, tensorAt } from "./shared/values.ts";

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

/** `z = aᵇ` with broadcasting, in the dtype of a. Integers wrap; a fractional or negative power is truncated. */
const op: Op = {
  riding,
  integer: lowerUnary(riding),
  operands: { data: [0] },
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
