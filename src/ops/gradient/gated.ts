/** Back through time for the cells without a memory of their own: GRU, and the plain recurrent network. */
import { intAttr } from "../../ir/graph.ts";
import type { GradientContext, Value } from "../gradient.ts";
import { sigmoidSlope, square } from "./elementwise.ts";
import { product } from "./matmul.ts";
import { type Cell, type Direction, parts, recurrentGradient, stack, steps, zeroState } from "./recurrent.ts";

/** dh of a step: what arrives there and what comes back from the step after it. */
function arriving(g: GradientContext, { byStep }: Cell, at: number, later: Value | undefined, zeros: Value): Value {
  const here = byStep?.[at];
  return here && later ? g.add(here, later) : (here ?? later ?? zeros);
}

/** With h' = tanh(x·Wᵀ + h·Rᵀ + b), which is known: da = dh'·(1 − h'²), and dh = da·R. */
function plainBack(g: GradientContext, cell: Cell): Direction {
  const { x, weights, recurrence, before, byLast } = cell;
  const [length, batch, width] = x.shape;
  const size = recurrence.shape[1];
  const rows = length * batch;
  const [flatX, flatBefore] = [g.reshape(x, [rows, width]), g.reshape(before, [rows, size])];
  let sums = g.add(product(g, flatX, weights, { transB: true }), product(g, flatBefore, recurrence, { transB: true }));
  if (cell.biases) sums = g.add(sums, g.add(...cell.biases));
  const slopes = steps(g, g.reshape(g.sub(1, square(g, g.emit("Tanh", [sums]))), [length, batch, size]));
  const zeros = zeroState(g, x, [batch, size]);
  let later = byLast;
  const dSums = new Array<Value>(length);
  for (let at = length - 1; at >= 0; at--) {
    dSums[at] = g.mul(arriving(g, cell, at, later, zeros), slopes[at]);
    later = g.emit("MatMul", [dSums[at], recurrence]);
  }
  const all = g.reshape(stack(g, dSums), [rows, size]);
  const bias = g.sum(all, [0], false);
  return {
    x: g.reshape(g.emit("MatMul", [all, weights]), [length, batch, width]),
    weights: product(g, all, flatX, { transA: true }),
    recurrence: product(g, all, flatBefore, { transA: true }),
    bias: g.emit("Concat", [bias, bias], { attrs: { axis: { i: 0 } } }),
    hidden: later ?? zeros,
  };
}

/** The rows of the update and reset gates, and those of the candidate. */
function gateRows(g: GradientContext, value: Value): [Value, Value] {
  const size = value.shape[0] / 3;
  const attrs = { axis: { i: 0 } };
  const sizes = { dtype: "int64" as const, shape: [2], data: BigInt64Array.of(BigInt(2 * size), BigInt(size)) };
  const [gates, candidate] = g.emitAll("Split", [value, sizes], 2, attrs);
  return [gates, candidate];
}

/**
 * With h' = (1 − z)·c + z·h: da_c = dh'·(1 − z)·(1 − c²), da_z = dh'·(h − c)·z·(1 − z); the reset gate r stands before the
 * recurrent product (p = r·h, dp = da_c·R_c, dr = dp·h) or behind it (q = h·R_cᵀ + b, dq = da_c·r, dr = da_c·q).
 */
function gruBack(g: GradientContext, cell: Cell): Direction {
  const { x, weights, recurrence, biases, before, byLast } = cell;
  const [length, batch, width] = x.shape;
  const size = recurrence.shape[1];
  const rows = length * batch;
  const behind = intAttr(g.node, "linear_before_reset", 0) !== 0;
  const [flatX, flatBefore] = [g.reshape(x, [rows, width]), g.reshape(before, [rows, size])];
  const [gateRecurrence, ownRecurrence] = gateRows(g, recurrence);
  const ownBias = biases && gateRows(g, biases[1]);

  let inner = product(g, flatX, weights, { transB: true });
  if (biases) inner = g.add(inner, biases[0]);
  const [innerZ, innerR, innerC] = parts(g, inner, 3);
  let gates = product(g, flatBefore, gateRecurrence, { transB: true });
  if (ownBias) gates = g.add(gates, ownBias[0]);
  const [outerZ, outerR] = parts(g, gates, 2);
  const update = g.emit("Sigmoid", [g.add(innerZ, outerZ)]);
  const reset = g.emit("Sigmoid", [g.add(innerR, outerR)]);
  const multiplied = behind ? flatBefore : g.mul(reset, flatBefore);
  let past = product(g, multiplied, ownRecurrence, { transB: true });
  if (ownBias) past = g.add(past, ownBias[1]);
  const candidate = g.emit("Tanh", [g.add(innerC, behind ? g.mul(reset, past) : past)]);

  const byStep = (value: Value): Value[] => steps(g, g.reshape(value, [length, batch, size]));
  const slopes = {
    candidate: byStep(g.mul(g.sub(1, update), g.sub(1, square(g, candidate)))),
    update: byStep(g.mul(g.sub(flatBefore, candidate), sigmoidSlope(g, update))),
    reset: byStep(g.mul(behind ? past : flatBefore, sigmoidSlope(g, reset))),
  };
  const [kept, through] = [byStep(update), byStep(reset)];
  const zeros = zeroState(g, x, [batch, size]);
  const side = { attrs: { axis: { i: 1 } } };
  let later = byLast;
  const [dGates, dInner, dPast] = [0, 1, 2].map(() => new Array<Value>(length));
  for (let at = length - 1; at >= 0; at--) {
    const dh = arriving(g, cell, at, later, zeros);
    const [byCandidate, byUpdate] = [g.mul(dh, slopes.candidate[at]), g.mul(dh, slopes.update[at])];
    dInner[at] = byCandidate;
    dPast[at] = behind ? g.mul(byCandidate, through[at]) : byCandidate;
    const byOwn = g.emit("MatMul", [dPast[at], ownRecurrence]);
    const byReset = g.mul(behind ? byCandidate : byOwn, slopes.reset[at]);
    dGates[at] = g.emit("Concat", [byUpdate, byReset], side);
    const back = g.add(g.emit("MatMul", [dGates[at], gateRecurrence]), behind ? byOwn : g.mul(byOwn, through[at]));
    later = g.add(g.mul(dh, kept[at]), back);
  }
  const [allGates, allInner, allPast] = [dGates, dInner, dPast].map((each, index) =>
    g.reshape(stack(g, each), [rows, index === 0 ? 2 * size : size]),
  );
  const all = g.emit("Concat", [allGates, allInner], side);
  const join = (first: Value, second: Value): Value => g.emit("Concat", [first, second], { attrs: { axis: { i: 0 } } });
  const sum = (value: Value): Value => g.sum(value, [0], false);
  return {
    x: g.reshape(g.emit("MatMul", [all, weights]), [length, batch, width]),
    weights: product(g, all, flatX, { transA: true }),
    recurrence: join(
      product(g, allGates, flatBefore, { transA: true }),
      product(g, allPast, multiplied, { transA: true }),
    ),
    bias: join(sum(all), join(sum(allGates), sum(allPast))),
    hidden: later ?? zeros,
  };
}

export const rnnGradient = recurrentGradient(["Tanh"], plainBack);
export const gruGradient = recurrentGradient(["Sigmoid", "Tanh"], gruBack);
