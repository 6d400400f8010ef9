/** Gradients of the two loss operators: targets are class numbers, classes lie on axis 1. */
import { intAttr, stringAttr } from "../../ir/graph.ts";
import { scalar } from "../../ir/tensor.ts";
import type { Gradient, GradientContext, Value } from "../gradient.ts";
import { logSoftmaxBack } from "./along.ts";
import { castTo, indicator } from "./elementwise.ts";

interface Targets {
  /** 1 at each target's class, in the scores' shape. */
  readonly hot: Value;
  /** What each target's loss counts in the loss's gradient, with an axis of 1 for the classes. */
  readonly share: Value;
}

/** Weights, ignored targets and the reduction, all as one factor a target. */
function targetsOf(g: GradientContext, dy: Value): Targets {
  const [scores, targets, weights] = [g.input(0), g.input(1), g.optional(2)];
  const [, classes] = scores.shape;
  const ignored = g.node.attrs.has("ignore_index") ? intAttr(g.node, "ignore_index", 0) : undefined;
  const indices = castTo(g, targets, "int64");
  const counted =
    ignored === undefined ? undefined : g.emit("Not", [g.emit("Equal", [indices, scalar("int64", ignored)])]);
  // An ignored target may be no class at all: class 0 stands in, and counts nothing.
  const classOf = counted ? g.emit("Where", [counted, indices, scalar("int64", 0)]) : indices;
  const values = {
    dtype: scores.dtype,
    shape: [2],
    data: scores.dtype === "float64" ? Float64Array.of(0, 1) : Float32Array.of(0, 1),
  };
  const hot = g.emit("OneHot", [classOf, scalar("int64", classes), values], { attrs: { axis: { i: 1 } } });
  let each = weights && g.emit("Gather", [weights, classOf], { attrs: { axis: { i: 0 } } });
  if (counted) each = each ? g.mul(each, indicator(g, counted, scores)) : indicator(g, counted, scores);
  const reduction = stringAttr(g.node, "reduction", "mean");
  const all = targets.shape.map((_, axis) => axis);
  let share = each ? g.mul(each, dy) : dy;
  if (reduction === "mean") {
    const mass = each ? g.sum(each, all, false) : targets.shape.reduce((a, b) => a * b, 1);
    share = g.div(share, mass);
  }
  const shape = [targets.shape[0], 1, ...targets.shape.slice(1)];
  return { hot, share: g.reshape(g.expand(share, targets.shape), shape) };
}

/** The loss is −Σ share·hot·log p. */
export const likelihoodGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const { hot, share } = targetsOf(g, dy);
  return [g.neg(g.mul(hot, share))];
};

/** By the scores: share·(softmax − hot). What arrives at the log softmax goes back as through LogSoftmax. */
export const crossEntropyGradient: Gradient = (g) => {
  const [dy, byLogs] = [g.arriving(0), g.arriving(1)];
  if (!g.wants(0)) return [];
  const logs = g.output(1);
  const through = byLogs && logSoftmaxBack(g, byLogs, logs, 1);
  if (dy === undefined) return [through];
  const { hot, share } = targetsOf(g, dy);
  const direct = g.mul(g.sub(g.emit("Exp", [logs]), hot), share);
  return [through ? g.add(direct, through) : direct];
};
