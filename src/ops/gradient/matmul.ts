/** Gradients of matrix products. */
import { elementCount, floatAttr, intAttr } from "../../ir/graph.ts";
import type { Gradient, GradientBuilder, Value } from "../gradient.ts";

/** The order that swaps the last two axes. */
function swapped(rank: number): number[] {
  return [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2];
}

export interface ProductOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

/**
 * `alpha · A · B`, either transposed in its last two axes; leading axes broadcast. Matrices go to Gemm and float32 stacks
 * to ONNX Runtime's FusedMatMul, which read a transposed factor in place.
 */
export function product(g: GradientBuilder, a: Value, b: Value, options: ProductOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  if (!transA && !transB && alpha === 1) return g.emit("MatMul", [a, b]);
  const attrs = {
    transA: { i: transA ? 1 : 0 },
    transB: { i: transB ? 1 : 0 },
    alpha: { f: alpha },
  };
  if (a.shape.length === 2 && b.shape.length === 2) return g.emit("Gemm", [a, b], { attrs });
  if (a.dtype === "float32" && a.shape.length >= 2 && b.shape.length >= 2) {
    return g.emit("FusedMatMul", [a, b], { domain: "com.microsoft", attrs });
  }
  const left = transA ? g.transpose(a, swapped(a.shape.length)) : a;
  const right = transB ? g.transpose(b, swapped(b.shape.length)) : b;
  const result = g.emit("MatMul", [left, right]);
  return alpha === 1 ? result : g.mul(result, alpha);
}

/** All axes but the last as one. */
function rows(g: GradientBuilder, value: Value): Value {
  const last = value.shape.at(-1) ?? 1;
  return g.reshape(value, [last === 0 ? 0 : elementCount(value.shape) / last, last]);
}

/**
 * dA = dY·Bᵀ and dB = Aᵀ·dY, summed over what was broadcast. A stack times one matrix is one large product for dB: the
 * stack's rows below one another.
 */
export const matMulGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [givenA, givenB] = [g.input(0), g.input(1)];
  const a = givenA.shape.length === 1 ? g.reshape(givenA, [1, ...givenA.shape]) : givenA;
  const b = givenB.shape.length === 1 ? g.reshape(givenB, [...givenB.shape, 1]) : givenB;
  const lead = dy.shape.slice(
    0,
    dy.shape.length - (givenA.shape.length === 1 ? 0 : 1) - (givenB.shape.length === 1 ? 0 : 1),
  );
  const full = g.reshape(dy, [...lead, a.shape.at(-2) ?? 1, b.shape.at(-1) ?? 1]);
  const single = b.shape.length === 2;
  const byA = (): Value => {
    if (single) return g.reshape(product(g, rows(g, full), b, { transB: true }), givenA.shape);
    return g.reshape(g.sumTo(product(g, full, b, { transB: true }), a.shape), givenA.shape);
  };
  const byB = (): Value => {
    if (single) return g.reshape(product(g, rows(g, a), rows(g, full), { transA: true }), givenB.shape);
    return g.reshape(g.sumTo(product(g, a, full, { transA: true }), b.shape), givenB.shape);
  };
  return [g.wants(0) ? byA() : undefined, g.wants(1) ? byB() : undefined];
};

/** For y = α·A'·B' + β·C, where ' is a transposition or none: each factor's gradient is written in the factor's own layout. */
export const gemmGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [a, b, c] = [g.input(0), g.input(1), g.optional(2)];
  const transA = intAttr(g.node, "transA", 0) !== 0;
  const transB = intAttr(g.node, "transB", 0) !== 0;
  const alpha = floatAttr(g.node, "alpha", 1);
  const beta = floatAttr(g.node, "beta", 1);
  const byA = (): Value =>
    transA ? product(g, b, dy, { transA: transB, transB: true, alpha }) : product(g, dy, b, { transB: !transB, alpha });
  const byB = (): Value =>
    transB ? product(g, dy, a, { transA: true, transB: transA, alpha }) : product(g, a, dy, { transA: !transA, alpha });
  const byC = (to: Value): Value => {
    const sum = g.sumTo(dy, to.shape);
    return beta === 1 ? sum : g.mul(sum, beta);
  };
  return [g.wants(0) ? byA() : undefined, g.wants(1) ? byB() : undefined, c && g.wants(2) ? byC(c) : undefined];
};

/** For alpha · A · B with transposition flags (ONNX Runtime's FusedMatMul); batch axes that move are turned back first. */
export const fusedMatMulGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const [a, b] = [
    factor(g, g.input(0), intAttr(g.node, "transBatchA", 0) !== 0),
    factor(g, g.input(1), intAttr(g.node, "transBatchB", 0) !== 0),
  ];
  const transA = intAttr(g.node, "transA", 0) !== 0;
  const transB = intAttr(g.node, "transB", 0) !== 0;
  const alpha = floatAttr(g.node, "alpha", 1);
  const byA = transA
    ? () => product(g, b.value, dy, { transA: transB, transB: true, alpha })
    : () => product(g, dy, b.value, { transB: !transB, alpha });
  const byB = transB
    ? () => product(g, dy, a.value, { transA: true, transB: transA, alpha })
    : () => product(g, a.value, dy, { transA: !transA, alpha });
  return [
    g.wants(0) ? a.back(g.sumTo(byA(), a.value.shape)) : undefined,
    g.wants(1) ? b.back(g.sumTo(byB(), b.value.shape)) : undefined,
  ];
};

/** A factor whose first axis stands behind the other batch axes, and the way back. */
function factor(g: GradientBuilder, value: Value, moved: boolean): { value: Value; back: (by: Value) => Value } {
  if (!moved) return { value, back: (by) => by };
  const order = value.shape.map((_, axis) => axis);
  order.splice(order.length - 2, 0, ...order.splice(0, 1));
  const back = order.map((_, axis) => order.indexOf(axis));
  return { value: g.transpose(value, order), back: (by) => g.transpose(by, back) };
}
