/** Gradients of softmax and its like, along one axis. */
import type { Gradient, GradientBuilder, Value } from "../gradient.ts";
import { axisAttr } from "../shared/types.ts";

/** dx = y·(dy − Σ dy·y). */
export const softmaxGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const y = g.output(0);
  const along = g.mul(dy, y);
  const axis = axisAttr(g.node, y.shape.length, -1);
  return [g.sub(along, g.mul(y, g.sum(along, [axis], true)))];
};

/** dx = dy − eʸ·Σ dy, for y = log softmax x. */
export function logSoftmaxBack(g: GradientBuilder, dy: Value, y: Value, axis: number): Value {
  return g.sub(dy, g.mul(g.emit("Exp", [y]), g.sum(dy, [axis], true)));
}

export const logSoftmaxGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const y = g.output(0);
  return [logSoftmaxBack(g, dy, y, axisAttr(g.node, y.shape.length, -1))];
};
