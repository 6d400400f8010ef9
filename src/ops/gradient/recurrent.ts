/**
 * Back through time. The forward node stays ONNX Runtime's own; its hidden states are an output, so the gates of all steps
 * follow from one product, and only two things are left to walk step by step: the cell states (elementwise), and going back.
 */
import { bug } from "../../error.ts";
import { floatAttr, intAttr, stringAttr } from "../../ir/graph.ts";
import { int64 } from "../../ir/tensor.ts";
import type { Gradient, GradientContext, Value } from "../gradient.ts";
import { reject } from "../shared/types.ts";
import { sigmoidSlope, square } from "./elementwise.ts";
import { product } from "./matmul.ts";

/** Steps are unrolled one by one: more than this is a graph that nobody wants to load. */
const MOST_STEPS = 4096;

/** What is not told by shapes: the plain cell, and all sequences of full length. */
function checkPlain(g: GradientContext, usual: readonly string[]): void {
  const activations = g.node.attrs.get("activations");
  const given = activations !== undefined && "strings" in activations ? activations.strings : [];
  const plain =
    given.every((name, index) => name === usual[index % usual.length]) &&
    intAttr(g.node, "input_forget", 0) === 0 &&
    intAttr(g.node, "layout", 0) === 0 &&
    floatAttr(g.node, "clip", 0) === 0 &&
    g.optional(4) === undefined &&
    g.optional(7) === undefined;
  if (!plain) {
    reject(
      g.node,
      `the gradient is known for the plain ${g.node.op}: ${[...new Set(usual)].join(" and ")}, layout 0, no clipping, peepholes, coupled gates or lengths`,
    );
  }
  if (g.input(0).shape[0] > MOST_STEPS) reject(g.node, `${g.input(0).shape[0]} steps are more than ${MOST_STEPS}`);
}

/** The slices of the first axis, each without it. */
export function steps(g: GradientContext, value: Value): Value[] {
  const [count, ...rest] = value.shape;
  if (count === 1) return [g.reshape(value, rest)];
  const attrs = { axis: { i: 0 } };
  const sizes = int64([count], new Array<number>(count).fill(1));
  return g.emitAll("Split", [value, sizes], count, attrs).map((each) => g.reshape(each, rest));
}

export function stack(g: GradientContext, values: readonly Value[]): Value {
  const wide = values.map((each) => g.reshape(each, [1, ...each.shape]));
  return wide.length === 1 ? wide[0] : g.emit("Concat", wide, { attrs: { axis: { i: 0 } } });
}

function reversed(g: GradientContext, value: Value): Value {
  if (value.shape[0] < 2) return value;
  return g.emit("Slice", [value, int64([1], [-1]), int64([1], [-(2 ** 31)]), int64([1], [0]), int64([1], [-1])]);
}

/** One entry of an axis, the axis dropped. */
export function pick(g: GradientContext, value: Value, axis: number, index: number): Value {
  const shape = value.shape.toSpliced(axis, 1);
  if (value.shape[axis] === 1) return g.reshape(value, shape);
  const cut = g.emit("Slice", [value, int64([1], [index]), int64([1], [index + 1]), int64([1], [axis])]);
  return g.reshape(cut, shape);
}

/** The parts of the last axis. */
export function parts(g: GradientContext, value: Value, count: number): Value[] {
  const attrs = { axis: { i: value.shape.length - 1 }, num_outputs: { i: count } };
  return g.emitAll("Split", [value], count, attrs);
}

export function zeroState(g: GradientContext, like: Value, shape: readonly number[]): Value {
  return g.expand(
    g.zeros(
      like.dtype,
      shape.map(() => 1),
    ),
    shape,
  );
}

/** What one direction of any cell reads, in the order in which it goes; weights without the axis of directions. */
export interface Cell {
  /** [steps, batch, inputs] */
  readonly x: Value;
  readonly weights: Value;
  readonly recurrence: Value;
  /** Those of x, then those of the hidden state. */
  readonly biases: readonly [Value, Value] | undefined;
  /** The hidden states before each step, [steps, batch, size]. */
  readonly before: Value;
  /** What arrives at the hidden state after each step, and at the last one besides. */
  readonly byStep: readonly Value[] | undefined;
  readonly byLast: Value | undefined;
}

function cellOf(g: GradientContext, direction: number, along: (value: Value) => Value): Cell {
  const x = along(g.input(0));
  const [weights, recurrence] = [pick(g, g.input(1), 0, direction), pick(g, g.input(2), 0, direction)];
  const initial = g.optional(5);
  const first = initial ? pick(g, initial, 0, direction) : zeroState(g, x, [x.shape[1], recurrence.shape[1]]);
  const y = along(pick(g, g.output(0), 1, direction));
  const biases = g.optional(3) && parts(g, pick(g, g.input(3), 0, direction), 2);
  const [arrived, last] = [g.arriving(0), g.arriving(1)];
  return {
    ...{ x, weights, recurrence, biases: biases && [biases[0], biases[1]] },
    before: stack(g, [first, ...steps(g, y).slice(0, -1)]),
    byStep: arrived && steps(g, along(pick(g, arrived, 1, direction))),
    byLast: last && pick(g, last, 0, direction),
  };
}

/** Gradients of one direction: by x, W, R, B, the first hidden and the first cell state. */
export interface Direction {
  readonly x: Value;
  readonly weights: Value;
  readonly recurrence: Value;
  readonly bias: Value;
  readonly hidden: Value;
  readonly memory?: Value;
}

function lstmBack(g: GradientContext, cell: Cell, direction: number): Direction {
  const { x, weights, recurrence, biases, before, byStep, byLast } = cell;
  const [length, batch, width] = x.shape;
  const size = recurrence.shape[1];
  const initial = g.optional(6);
  const memory0 = initial ? pick(g, initial, 0, direction) : zeroState(g, x, [batch, size]);

  // All gates of all steps: X·Wᵀ + H·Rᵀ + b.
  const rows = length * batch;
  const flatX = g.reshape(x, [rows, width]);
  const flatBefore = g.reshape(before, [rows, size]);
  let sums = g.add(product(g, flatX, weights, { transB: true }), product(g, flatBefore, recurrence, { transB: true }));
  if (biases) sums = g.add(sums, g.add(...biases));
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
  const lastMemory = g.arriving(2);
  let dHidden = byLast;
  let dMemory = lastMemory && pick(g, lastMemory, 0, direction);
  const zeros = zeroState(g, x, [batch, size]);
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
    x: g.reshape(g.emit("MatMul", [all, weights]), [length, batch, width]),
    weights: product(g, all, flatX, { transA: true }),
    recurrence: product(g, all, flatBefore, { transA: true }),
    bias: g.emit("Concat", [bias, bias], { attrs: { axis: { i: 0 } } }),
    hidden: dHidden ?? zeros,
    memory: dMemory ?? zeros,
  };
}

/** The gradient of a cell in one direction or both. Only what is wanted survives: nodes that nothing reads are dropped from the step. */
export function recurrentGradient(
  usual: readonly string[],
  back: (g: GradientContext, cell: Cell, direction: number) => Direction,
): Gradient {
  return (g) => {
    checkPlain(g, usual);
    const way = stringAttr(g.node, "direction", "forward");
    if (g.input(0).shape[0] === 0) reject(g.node, "there are no steps to go back through");
    const found = (way === "bidirectional" ? [false, true] : [way === "reverse"]).map((backwards, index): Direction => {
      const along = (value: Value): Value => (backwards ? reversed(g, value) : value);
      const one = back(g, cellOf(g, index, along), index);
      return { ...one, x: along(one.x) };
    });
    const each = (of: (one: Direction) => Value): Value => stack(g, found.map(of));
    return [
      g.wants(0) ? found.map(({ x }) => x).reduce((sum, x) => g.add(sum, x)) : undefined,
      g.wants(1) ? each(({ weights }) => weights) : undefined,
      g.wants(2) ? each(({ recurrence }) => recurrence) : undefined,
      g.wants(3) ? each(({ bias }) => bias) : undefined,
      undefined,
      g.wants(5) ? each(({ hidden }) => hidden) : undefined,
      g.wants(6) ? each(({ memory }) => memory ?? bug("a cell without a memory")) : undefined,
    ];
  };
}

export const lstmGradient = recurrentGradient(["Sigmoid", "Tanh", "Tanh"], lstmBack);
