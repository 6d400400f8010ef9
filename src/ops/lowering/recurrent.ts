import type { Builder } from "../../ir/build.ts";
import { type Graph, intAttr, isStatic, type Node, stringAttr, type Tensor, typeOf } from "../../ir/graph.ts";
import { float32, numbersOf, valuesOf } from "../../ir/tensor.ts";

/** Steps that are unrolled at most: a longer sequence wants a program that loops, and stays for the CPU. */
const STEPS = 128;

/** Activations that are operators of their own, of the same name and the same defaults. */
const ACTIVATIONS = new Set(["Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign"]);

/** One direction while it is unrolled. */
export interface UnrolledCell {
  readonly build: Builder;
  /** Activations of this direction, in the operator's order. */
  readonly activations: readonly string[];
  /** The recurrent part of a gate, R·h, with its bias where the gate keeps it apart. */
  past(gate: number, h: string): string;
  /** Remembers values that 8 bits would ruin: sums that are carried on, and what is summed into them. */
  keepWide(...values: string[]): void;
}

/** What tells LSTM, GRU and RNN apart. */
export interface Recurrence {
  readonly gates: number;
  /** Activations of one direction where the node names none. */
  readonly activations: readonly string[];
  /** The hidden state alone (1), or the hidden state and the cell (2). */
  readonly states: 1 | 2;
  /** Gates whose recurrent bias is not added to the input's, because something happens to R·h + b first. */
  apart?(node: Node): readonly number[];
  /** From `own[gate]` = W·x + b of this step and the states to the new states; the first is the hidden one. */
  step(cell: UnrolledCell, own: readonly string[], states: readonly string[], node: Node): string[];
}

interface Shape {
  readonly steps: number;
  readonly batch: number;
  readonly features: number;
  readonly hidden: number;
  readonly directions: number;
  readonly activations: readonly string[];
  /** layout = 1: the batch is the first axis of everything that is fed and given. */
  readonly batchFirst: boolean;
}

/**
 * Unrolls a recurrent node of fixed length: W·x of all steps is one product a gate, the rest is said step by step. Returns
 * the values that want 16 bits; undefined, with nothing built, where the node uses what no step says: peepholes, clipping,
 * sequences of different lengths, weights computed at run time, more than 128 steps.
 */
export function unrollRecurrent(
  graph: Graph,
  node: Node,
  kind: Recurrence,
  build: Builder,
): readonly string[] | undefined {
  const shape = shapeOf(graph, node, kind);
  if (!shape) return undefined;
  const { steps, batch, features, directions } = shape;
  const wide: string[] = [];
  const byStep = swapped(node.inputs[0], [1, 0, 2], shape, build);
  const rows = build.reshape(byStep, [steps * batch, features]);
  const outputs: string[][] = [];
  const last: string[][] = [];
  for (let direction = 0; direction < directions; direction++) {
    const weights = weightsOf(graph, node, kind, shape, direction);
    const entering = weights.map(({ w, b }) => build.node("Gemm", [rows, w, b], { transB: { i: 1 } }));
    wide.push(...entering);
    const cell: UnrolledCell = {
      build,
      activations: shape.activations.slice(direction * kind.activations.length),
      past(gate, h) {
        const { r, pastBias } = weights[gate];
        const past = build.node("Gemm", pastBias ? [h, r, pastBias] : [h, r], { transB: { i: 1 } });
        wide.push(past);
        return past;
      },
      keepWide: (...values) => wide.push(...values),
    };
    let states = Array.from({ length: kind.states }, (_, state) => initial(node, 5 + state, direction, shape, build));
    const backwards = stringAttr(node, "direction", "forward") === "reverse" || direction === 1;
    const hs = new Array<string>(steps);
    for (let count = 0; count < steps; count++) {
      const step = backwards ? steps - 1 - count : count;
      const own = entering.map((all) => (steps === 1 ? all : build.slice(all, 0, step * batch, (step + 1) * batch)));
      states = kind.step(cell, own, states, node);
      hs[step] = states[0];
    }
    outputs.push(hs);
    last.push(states);
  }
  finish(node, shape, outputs, last, build);
  return wide;
}

function shapeOf(graph: Graph, node: Node, kind: Recurrence): Shape | undefined {
  const given = typeOf(graph, node.inputs[0])?.shape;
  const batchFirst = intAttr(node, "layout", 0) === 1;
  const x = batchFirst && isStatic(given) ? [given[1], given[0], given[2]] : given;
  const [w, r] = [graph.constants.get(node.inputs[1]), graph.constants.get(node.inputs[2])];
  if (!isStatic(x) || x[0] > STEPS || !w || !r || w.quant || r.quant || w.dtype !== "float32") return undefined;
  if (node.inputs[3] && !graph.constants.has(node.inputs[3])) return undefined;
  const lengths = node.inputs[4] ? graph.constants.get(node.inputs[4]) : undefined;
  if (node.inputs[4] && !(lengths && numbersOf(lengths).every((length) => length === x[0]))) return undefined;
  if (node.inputs[7] || node.attrs.has("clip")) return undefined;
  if (intAttr(node, "input_forget", 0) !== 0) return undefined;
  if (node.attrs.has("activation_alpha") || node.attrs.has("activation_beta")) return undefined;
  const list = node.attrs.get("activations");
  const names = list && "strings" in list && list.strings.length > 0 ? list.strings : undefined;
  const directions = w.shape[0];
  const activations = names ?? Array.from({ length: directions }, () => kind.activations).flat();
  if (!activations.every((name) => ACTIVATIONS.has(name))) return undefined;
  return { steps: x[0], batch: x[1], features: x[2], hidden: r.shape[2], directions, activations, batchFirst };
}

/** Y [steps, directions, batch, hidden]; Y_h, and Y_c where there is a cell, [directions, batch, hidden]. */
function finish(
  node: Node,
  { steps, batch, directions, hidden, batchFirst }: Shape,
  outputs: readonly string[][],
  last: readonly string[][],
  build: Builder,
): void {
  const join = (
    parts: readonly string[],
    shape: readonly number[],
    perm: readonly number[],
    name: string | undefined,
  ): void => {
    if (!name) return;
    const all = parts.length === 1 ? parts[0] : build.node("Concat", parts, { axis: { i: 0 } });
    if (!batchFirst) build.reshape(all, shape, name);
    else build.node("Transpose", [build.reshape(all, shape)], { perm: { ints: perm } }, name);
  };
  const byStep = outputs[0].flatMap((_, step) => outputs.map((hs) => hs[step]));
  join(byStep, [steps, directions, batch, hidden], [2, 0, 1, 3], node.outputs[0]);
  last[0].forEach((_, state) => {
    const ends = last.map((states) => states[state]);
    join(ends, [directions, batch, hidden], [1, 0, 2], node.outputs[1 + state]);
  });
}

/** The value with its batch behind, as everything here has it. */
function swapped(value: string, perm: readonly number[], { batchFirst }: Shape, build: Builder): string {
  return batchFirst ? build.node("Transpose", [value], { perm: { ints: perm } }) : value;
}

function initial(node: Node, index: number, direction: number, shape: Shape, build: Builder): string {
  const { batch, hidden, directions } = shape;
  const given = node.inputs[index];
  if (!given) return build.node("Identity", [float32([batch, hidden], new Float32Array(batch * hidden))]);
  const byDirection = swapped(given, [1, 0, 2], shape, build);
  const own = directions === 1 ? byDirection : build.slice(byDirection, 0, direction, direction + 1);
  return build.reshape(own, [batch, hidden]);
}

/** Of each gate: W [hidden, features], R [hidden, hidden], and the bias [hidden]: both summed, unless they stay apart. */
function weightsOf(graph: Graph, node: Node, kind: Recurrence, { features, hidden }: Shape, direction: number) {
  const { gates } = kind;
  const apart = kind.apart?.(node) ?? [];
  const bias = node.inputs[3] ? (valuesOf(graph.constants.get(node.inputs[3]) as Tensor) as Float32Array) : undefined;
  const block = (index: number, columns: number, gate: number): Tensor => {
    const values = valuesOf(graph.constants.get(node.inputs[index]) as Tensor) as Float32Array;
    const start = (direction * gates + gate) * hidden * columns;
    return float32([hidden, columns], values.subarray(start, start + hidden * columns));
  };
  const biasOf = (gate: number, side: 0 | 1): Float32Array => {
    const at = ((direction * 2 + side) * gates + gate) * hidden;
    return bias ? bias.slice(at, at + hidden) : new Float32Array(hidden);
  };
  return Array.from({ length: gates }, (_, gate) => {
    const [own, past] = [biasOf(gate, 0), biasOf(gate, 1)];
    const alone = apart.includes(gate);
    return {
      w: block(1, features, gate),
      r: block(2, hidden, gate),
      b: float32([hidden], alone ? own : own.map((value, unit) => value + past[unit])),
      pastBias: alone ? float32([hidden], past) : undefined,
    };
  });
}
