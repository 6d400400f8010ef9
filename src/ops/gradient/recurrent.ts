/**
 * Back through time. The forward node stays ONNX Runtime's own; its hidden states are an output, so the gates of all steps
 * follow from one product, and only two things are left to walk step by step: the cell states (elementwise), and going back.
 */
import { floatAttr, intAttr, stringAttr } from "../../ir/graph.ts";
import { int64 } from "../../ir/tensor.ts";
import type { Gradient, GradientContext, Value } from "../gradient.ts";
import { reject } from "../shared/types.ts";
import { sigmoidSlope, square } from "./elementwise.ts";
import { product } from "./matmul.ts";

/** Steps are unrolled one by one: more than this is a graph that nobody wants to load. */
const MOST_STEPS = 4096;

/** What is not told by shapes: the plain cell, and all sequences of full length. */
function checkPlain(g: GradientContext): void {
  const activations = g.node.attrs.get("activations");
  const given = activations !== undefined && "strings" in activations ? activations.strings : [];
  const usual = given.every((name, index) => name === ["Sigmoid", "Tanh", "Tanh"][index % 3]);
  const plain =
    usual &&
    intAttr(g.node, "input_forget", 0) === 0 &&
    intAttr(g.node, "layout", 0) === 0 &&
    floatAttr(g.node, "clip", 0) === 0 &&
    g.optional(4) === undefined &&
    g.optional(7) === undefined;
  if (!plain) {
    reject(
      g.node,
      "the gradient is known for the plain LSTM: sigmoid and tanh, layout 0, no clipping, peepholes, coupled gates or lengths",
    );
  }
  if (g.input(0).shape[0] > MOST_STEPS) reject(g.node, `${g.input(0).shape[0]} steps are more than ${MOST_STEPS}`);
}

/** The slices of the first axis, each without it. */
function steps(g: GradientContext, value: Value): Value[] {
  const [count, ...rest] = value.shape;
  if (count === 1) return [g.reshape(value, rest)];
  const attrs = { axis: { i: 0 } };
  const sizes = int64([count], new Array<number>(count).fill(1));
  return g.emitAll("Split", [value, sizes], count, attrs).map((each) => g.reshape(each, rest));
}

function stack(g: GradientContext, values: readonly Value[]): Value {
  const wide = values.map((each) => g.reshape(each, [1, ...each.shape]));
  return wide.length === 1 ? wide[0] : g.emit("Concat", wide, { attrs: { axis: { i: 0 } } });
}

function reversed(g: GradientContext, value: Value): Value {
  if (value.shape[0] < 2) return value;
  return g.emit("Slice", [value, int64([1], [-1]), int64([1], [-(2 ** 31)]), int64([1], [0]), int64([1], [-1])]);
}

/** One entry of an axis, the axis dropped. */
function pick(g: GradientContext, value: Value, axis: number, index: number): Value {
  const shape = value.shape.toSpliced(axis, 1);
  if (value.shape[axis] === 1) return g.reshape(value, shape);
  const cut = g.emit("Slice", [value, int64([1], [index]), int64([1], [index + 1]), int64([1], [axis])]);
  return g.reshape(cut, shape);
}

/** The parts of the last axis. */
function parts(g: GradientContext, value: Value, count: number): Value[] {
  const attrs = { axis: { i: value.shape.length - 1 }, num_outputs: { i: count } };
  return g.emitAll("Split", [value], count, attrs);
}

/** Gradients of one direction: by x, W, R, B, the first hidden and the first cell state. */
interface Direction {
  readonly x: Value;
  readonly weights: Value;
  readonly recurrence: Value;
  readonly bias: Value;
  readonly hidden: Value;
  readonly memory: Value;
}

function backInDirection(g: GradientContext, direction: number, backwards: boolean): Direction {
  const along = (value: Value): Value => (backwards ? reversed(g, value) : value);
  const given = g.input(0);
  const [length, batch, width] = given.shape;
  const x = along(given);
  const [weights, recurrence] = [pick(g, g.input(1), 0, direction), pick(g, g.input(2), 0, direction)];
  const size = recurrence.shape[1];
  const first = (index: number): Value => {
    const initial = g.optional(index);
    return initial ? pick(g, initial, 0, direction) : g.expand(g.zeros(x.dtype, [1, 1]), [batch, size]);
  };
  const [hidden0, memory0] = [first(5), first(6)];
  const y = along(pick(g, g.output(0), 1, direction));
  const before = stack(g, [hidden0, ...steps(g, y).slice(0, -1)]);

  // All gates of all steps: X·Wᵀ + H·Rᵀ + b.
  const rows = length * batch;
  const flatX = g.reshape(x, [rows, width]);
  const flatBefore = g.reshape(before, [rows, size]);
  let sums = g.add(product(g, flatX, weights, { transB: true }), product(g, flatBefore, recurrence, { transB: true }));
  if (g.optional(3)) {
    const [inner, outer] = parts(g, pick(g, g.input(3), 0, direction), 2);
    sums = g.add(sums, g.add(inner, outer));
  }
  const [i, o, f, c] = parts(g, g.reshape(sums, [length, batch, 4 * size]), 4);
  const [enter, out, keep] = [i, o, f].map((each) => g.emit("Sigmoid", [each]));
  const candidate = g.emit("Tanh", [c]);

  const entering = steps(g, g.mul(enter, candidate));
  const kept = steps(g, keep);
  const memories = [memory0];
  for (let at = 0; at < length; at++) memories.push(g.add(g.mul(kept[at], memories[at]), entering[at]));
  const held = stack(g, memories.slice(0, -1));
  const shown = g.emit("Tanh", [stack(g, memories.slice(1))]);

  // dz = [dc, dh, dc, dc] ⊙ slopes; dc gains dh ⊙ o·(1 − tanh² c).
  const slopes = steps(
    g,
    g.emit(
      "Concat",
      [
        g.mul(sigmoidSlope(g, enter), candidate),
        g.mul(sigmoidSlope(g, out), shown),
        g.mul(sigmoidSlope(g, keep), held),
        g.mul(g.sub(1, square(g, candidate)), enter),
      ],
      { attrs: { axis: { i: 2 } } },
    ),
  );
  const reach = steps(g, g.mul(out, g.sub(1, square(g, shown))));
  const arrived = g.arriving(0);
  const byStep = arrived && steps(g, along(pick(g, arrived, 1, direction)));
  const last = (index: number): Value | undefined => {
    const value = g.arriving(index);
    return value && pick(g, value, 0, direction);
  };
  let [dHidden, dMemory] = [last(1), last(2)];
  const zeros = g.expand(g.zeros(x.dtype, [1, 1]), [batch, size]);
  const dSums = new Array<Value>(length);
  for (let at = length - 1; at >= 0; at--) {
    const here = byStep?.[at];
    const dh = here && dHidden ? g.add(here, dHidden) : (here ?? dHidden ?? zeros);
    const through = g.mul(dh, reach[at]);
    const dc = dMemory ? g.add(dMemory, through) : through;
    dSums[at] = g.mul(g.emit("Concat", [dc, dh, dc, dc], { attrs: { axis: { i: 1 } } }), slopes[at]);
    dHidden = g.emit("MatMul", [dSums[at], recurrence]);
    dMemory = g.mul(dc, kept[at]);
  }
  const all = g.reshape(stack(g, dSums), [rows, 4 * size]);
  const bias = g.sum(all, [0], false);
  return {
    x: along(g.reshape(g.emit("MatMul", [all, weights]), [length, batch, width])),
    weights: product(g, all, flatX, { transA: true }),
    recurrence: product(g, all, flatBefore, { transA: true }),
    bias: g.emit("Concat", [bias, bias], { attrs: { axis: { i: 0 } } }),
    hidden: dHidden ?? zeros,
    memory: dMemory ?? zeros,
  };
}

/** Only what is wanted survives: nodes that nothing reads are dropped from the step. */
export const lstmGradient: Gradient = (g) => {
  checkPlain(g);
  const direction = stringAttr(g.node, "direction", "forward");
  if (g.input(0).shape[0] === 0) reject(g.node, "there are no steps to go back through");
  const found =
    direction === "bidirectional"
      ? [backInDirection(g, 0, false), backInDirection(g, 1, true)]
      : [backInDirection(g, 0, direction === "reverse")];
  const each = (of: (one: Direction) => Value): Value => stack(g, found.map(of));
  return [
    g.wants(0) ? found.map(({ x }) => x).reduce((sum, x) => g.add(sum, x)) : undefined,
    g.wants(1) ? each(({ weights }) => weights) : undefined,
    g.wants(2) ? each(({ recurrence }) => recurrence) : undefined,
    g.wants(3) ? each(({ bias }) => bias) : undefined,
    undefined,
    g.wants(5) ? each(({ hidden }) => hidden) : undefined,
    g.wants(6) ? each(({ memory }) => memory) : undefined,
  ];
};
