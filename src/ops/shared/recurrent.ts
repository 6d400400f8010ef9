/** What RNN, GRU and LSTM share: attributes, layouts, activations and the walk over time, direction by direction. */
import {
  type Dim,
  elementCount,
  floatAttr,
  floatsAttr,
  intAttr,
  type Node,
  type RuntimeValue,
  stringAttr,
  type Tensor,
  type Type,
} from "../../ir/graph.ts";
import { FLOATS, makeType, reject, requireRank, sizeOf, typeAt } from "./types.ts";
import { doublesOf, fromDoubles, integersOf, optionalTensorAt, tensorAt } from "./values.ts";

export type Activation = (x: number) => number;

const ACTIVATIONS: Readonly<Record<string, (alpha?: number, beta?: number) => Activation>> = {
  relu: () => (x) => Math.max(0, x),
  tanh: () => Math.tanh,
  sigmoid: () => (x) => 1 / (1 + Math.exp(-x)),
  affine:
    (alpha = 1, beta = 0) =>
    (x) =>
      alpha * x + beta,
  leakyrelu:
    (alpha = 0.01) =>
    (x) =>
      x < 0 ? alpha * x : x,
  thresholdedrelu:
    (alpha = 1) =>
    (x) =>
      x > alpha ? x : 0,
  scaledtanh:
    (alpha = 1, beta = 1) =>
    (x) =>
      alpha * Math.tanh(beta * x),
  hardsigmoid:
    (alpha = 0.2, beta = 0.5) =>
    (x) =>
      Math.min(1, Math.max(0, alpha * x + beta)),
  elu:
    (alpha = 1) =>
    (x) =>
      x < 0 ? alpha * Math.expm1(x) : x,
  softsign: () => (x) => x / (1 + Math.abs(x)),
  softplus: () => (x) => Math.log1p(Math.exp(x)),
};

/** How one direction of one node is computed. */
export interface Cell {
  readonly hidden: number;
  /** The activations of this direction, in the operator's order (LSTM: gates, candidate, output). */
  readonly activations: readonly Activation[];
  /** Bounds the argument of every activation: x → min(max(x, −clip), clip). */
  readonly clip: (x: number) => number;
  /** Weights of this direction: [gates·hidden, input], [gates·hidden, hidden]; biases [2·gates·hidden] or zeros. */
  readonly weights: ArrayLike<number>;
  readonly recurrence: ArrayLike<number>;
  readonly biases: ArrayLike<number>;
  readonly peepholes: ArrayLike<number> | undefined;
}

/** One time step of one sequence: from its input and states to its new states. `states[0]` is the hidden state. */
export type Step = (cell: Cell, input: readonly number[], states: readonly (readonly number[])[]) => number[][];

export interface Recurrent {
  readonly gates: number;
  /** Default activations of one direction. */
  readonly activations: readonly string[];
  /** Hidden only (1), or hidden and cell (2). */
  readonly states: number;
  step(node: Node): Step;
}

function directionsOf(node: Node): readonly ("forward" | "reverse")[] {
  const direction = stringAttr(node, "direction", "forward");
  if (direction === "bidirectional") return ["forward", "reverse"];
  if (direction === "forward" || direction === "reverse") return [direction];
  return reject(node, `direction ${direction} is not known`);
}

/** Types of Y, Y_h and, with two states, Y_c. `layout` 1 has the batch first. */
export function inferRecurrent(kind: Recurrent, node: Node, inputs: readonly (Type | undefined)[]): Type[] {
  const x = typeAt(node, inputs, 0, FLOATS);
  const r = typeAt(node, inputs, 2, FLOATS);
  typeAt(node, inputs, 1, FLOATS);
  for (const index of [0, 1, 2]) requireRank(node, typeAt(node, inputs, index), index, 3, 3);
  const directions = directionsOf(node).length;
  const hidden: Dim = node.attrs.has("hidden_size") ? intAttr(node, "hidden_size", 0) : (r.shape?.[2] ?? "?");
  const batchFirst = intAttr(node, "layout", 0) === 1;
  const [first, second] = [x.shape?.[0] ?? "?", x.shape?.[1] ?? "?"];
  const batch = batchFirst ? first : second;
  const y = makeType(x.dtype, batchFirst ? [first, second, directions, hidden] : [first, directions, second, hidden]);
  const last = makeType(x.dtype, batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]);
  return [y, ...new Array<Type>(kind.states).fill(last)].slice(0, Math.max(1, node.outputs.length));
}

/** Weights and recurrence multiply once a step: steps · batch · directions · gates · hidden · (input + hidden). */
export function recurrentMacs(inputs: readonly (Type | undefined)[]): number {
  const [x, w, r] = [0, 1, 2].map((index) => inputs[index]?.shape);
  return sizeOf(x?.slice(0, 2)) * (sizeOf(w) + sizeOf(r));
}

function activationsOf(kind: Recurrent, node: Node, direction: number): Activation[] {
  const attr = node.attrs.get("activations");
  const directions = directionsOf(node).length;
  const given = attr && "strings" in attr && attr.strings.length > 0 ? attr.strings : undefined;
  const names = given ?? Array.from({ length: directions }, () => kind.activations).flat();
  if (names.length !== kind.activations.length * directions) {
    reject(
      node,
      `${names.length} activations for ${directions} directions; ${kind.activations.length} each are needed`,
    );
  }
  // Alphas and betas are listed only for the activations that take them, in order.
  const alphas = [...(floatsAttr(node, "activation_alpha") ?? [])];
  const betas = [...(floatsAttr(node, "activation_beta") ?? [])];
  const made = names.map((name) => {
    const make = Object.hasOwn(ACTIVATIONS, name.toLowerCase()) ? ACTIVATIONS[name.toLowerCase()] : undefined;
    if (make === undefined) reject(node, `the activation ${name} is not known`);
    const key = name.toLowerCase();
    const takesAlpha = ["affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu"].includes(key);
    const takesBeta = ["affine", "scaledtanh", "hardsigmoid"].includes(key);
    return make(takesAlpha ? alphas.shift() : undefined, takesBeta ? betas.shift() : undefined);
  });
  return made.slice(direction * kind.activations.length, (direction + 1) * kind.activations.length);
}

/** The part of a weight tensor that belongs to one direction. */
function partOf(tensor: Tensor | undefined, direction: number, directions: number): ArrayLike<number> | undefined {
  if (tensor === undefined) return undefined;
  const values = Float64Array.from(doublesOf(tensor));
  const each = values.length / directions;
  return values.subarray(direction * each, (direction + 1) * each);
}

/** Inputs: X, W, R, B, sequence_lens, initial_h, initial_c, P. Outputs Y, Y_h and, with two states, Y_c. */
export function evaluateRecurrent(kind: Recurrent, node: Node, inputs: readonly RuntimeValue[]): Tensor[] {
  const [x, w, r] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
  const b = optionalTensorAt(node, inputs, 3);
  const lengths = optionalTensorAt(node, inputs, 4);
  const initial = Array.from({ length: kind.states }, (_, state) => optionalTensorAt(node, inputs, 5 + state));
  const p = kind.states === 2 ? optionalTensorAt(node, inputs, 7) : undefined;
  const batchFirst = intAttr(node, "layout", 0) === 1;
  const [batch, steps] = batchFirst ? [x.shape[0], x.shape[1]] : [x.shape[1], x.shape[0]];
  const width = x.shape[2];
  const hidden = r.shape[2];
  const directions = directionsOf(node);
  const count = directions.length;
  const rows = kind.gates * hidden;
  if (`${w.shape}` !== `${[count, rows, width]}` || `${r.shape}` !== `${[count, rows, hidden]}`) {
    reject(
      node,
      `weights [${w.shape}] and recurrence [${r.shape}] do not fit ${count} directions, ${kind.gates} gates, input ${width}`,
    );
  }
  const needed: readonly (readonly [Tensor | undefined, number, string])[] = [
    [b, count * 2 * rows, "list of biases"],
    [lengths, batch, "list of lengths"],
    ...initial.map((state): [Tensor | undefined, number, string] => [state, count * batch * hidden, "initial state"]),
    [p, count * 3 * hidden, "list of peepholes"],
  ];
  for (const [tensor, size, what] of needed) {
    if (tensor && elementCount(tensor.shape) !== size)
      reject(node, `the ${what} has shape [${tensor.shape}]; ${size} numbers are needed`);
  }
  const lens = lengths ? integersOf(lengths) : new Array<number>(batch).fill(steps);
  const source = doublesOf(x);
  const limit = node.attrs.has("clip") ? floatAttr(node, "clip", 0) : Number.POSITIVE_INFINITY;
  const step = kind.step(node);
  const y = new Float64Array(steps * count * batch * hidden);
  const last = Array.from({ length: kind.states }, () => new Float64Array(count * batch * hidden));
  directions.forEach((direction, d) => {
    const cell: Cell = {
      hidden,
      activations: activationsOf(kind, node, d),
      clip: (value) => Math.min(Math.max(value, -limit), limit),
      weights: partOf(w, d, count) ?? [],
      recurrence: partOf(r, d, count) ?? [],
      biases: partOf(b, d, count) ?? new Float64Array(2 * rows),
      peepholes: partOf(p, d, count),
    };
    for (let sequence = 0; sequence < batch; sequence++) {
      const stateAt = (batchFirst ? sequence * count + d : d * batch + sequence) * hidden;
      let states = initial.map((tensor) =>
        tensor
          ? Array.from({ length: hidden }, (_, at) => doublesOf(tensor)[stateAt + at])
          : new Array<number>(hidden).fill(0),
      );
      const length = Math.min(steps, lens[sequence]);
      for (let time = 0; time < length; time++) {
        const t = direction === "forward" ? time : length - 1 - time;
        const from = (batchFirst ? sequence * steps + t : t * batch + sequence) * width;
        states = step(
          cell,
          Array.from({ length: width }, (_, at) => source[from + at]),
          states,
        );
        const row = batchFirst ? (sequence * steps + t) * count + d : (t * count + d) * batch + sequence;
        y.set(states[0], row * hidden);
      }
      states.forEach((state, which) => {
        last[which].set(state, stateAt);
      });
    }
  });
  const shape = batchFirst ? [batch, steps, count, hidden] : [steps, count, batch, hidden];
  const lastShape = batchFirst ? [batch, count, hidden] : [count, batch, hidden];
  return [fromDoubles(x.dtype, shape, y), ...last.map((state) => fromDoubles(x.dtype, lastShape, state))];
}

/** `Σ matrix[row, k] · vector[k]`. */
export function rowProduct(matrix: ArrayLike<number>, row: number, vector: readonly number[]): number {
  let sum = 0;
  for (let k = 0; k < vector.length; k++) sum += matrix[row * vector.length + k] * vector[k];
  return sum;
}

/** Gate `gate` before its activation: `W·x + b_W + R·h + b_R`, one number a hidden unit. */
export function gateSums(
  cell: Cell,
  gate: number,
  gates: number,
  input: readonly number[],
  hidden: readonly number[],
): number[] {
  return Array.from({ length: cell.hidden }, (_, unit) => {
    const row = gate * cell.hidden + unit;
    const bias = cell.biases[row] + cell.biases[gates * cell.hidden + row];
    return rowProduct(cell.weights, row, input) + rowProduct(cell.recurrence, row, hidden) + bias;
  });
}
