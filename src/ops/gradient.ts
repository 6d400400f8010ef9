import type { Attr, DType, Node, Tensor } from "../ir/graph.ts";

/** A value of the graph under construction. All shapes are known: a training step is built for one batch size. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A value [n, c, …] and a number for each of its channels. */
export interface Scaled {
  readonly value: Value;
  readonly factor: Value;
}

/** What a node may read: a value, a constant, or a number, which becomes a scalar of the dtype of the values beside it. */
export type Operand = Value | Tensor | number;

export interface EmitOptions {
  readonly attrs?: Readonly<Record<string, Attr | undefined>>;
  /** "" (ONNX's own) unless said. */
  readonly domain?: string;
  /** Names of the outputs, where they must have certain ones ("" for one that nobody wants); one new name otherwise. */
  readonly outputs?: readonly string[];
}

/** Builds nodes by calls: `build.mul(dy, build.emit("Exp", [x]))`. The type of everything is known at once. */
export interface GradientBuilder {
  /** Channels that a convolution takes at once, where the step's convolutions will run on kernels that take blocks of them. */
  readonly block?: number;
  /** Adds a node and returns its first output. An undefined input is an absent one. */
  emit(op: string, inputs: readonly (Operand | undefined)[], options?: EmitOptions): Value;
  /** As `emit`, for `count` outputs with new names. */
  emitAll(op: string, inputs: readonly (Operand | undefined)[], count: number, attrs?: EmitOptions["attrs"]): Value[];
  add(a: Operand, b: Operand): Value;
  sub(a: Operand, b: Operand): Value;
  mul(a: Operand, b: Operand): Value;
  div(a: Operand, b: Operand): Value;
  neg(a: Value): Value;
  /** The same elements under another shape; the same value where the shape is the same. */
  reshape(value: Value, shape: readonly number[]): Value;
  /** The same value where the order is 0, 1, 2, … */
  transpose(value: Value, order: readonly number[]): Value;
  /** Sums over what broadcasting repeated: the gradient of a value of `shape` that was spread to `value`'s shape. */
  sumTo(value: Value, shape: readonly number[]): Value;
  /** Sum over axes, which are kept with size 1 if asked. The same value for no axes. */
  sum(value: Value, axes: readonly number[], keep: boolean): Value;
  /** The value spread to a shape that it broadcasts to; the same value where the shape is the same. */
  expand(value: Value, shape: readonly number[]): Value;
  zeros(dtype: DType, shape: readonly number[]): Value;
  /** `value` [n, c, …] with each channel times its number of `factor` [c]: whoever reads that may multiply something smaller instead. */
  scaled(value: Value, factor: Value): Value;
  /** What `scaled` made a value of, if it did. */
  unscaled(made: Value): Scaled | undefined;
}

/** What an operator's gradient may ask, beside building nodes that run after the whole forward graph. */
export interface GradientContext extends GradientBuilder {
  readonly node: Node;
  /** Input `index`; `bug` where it is absent. */
  input(index: number): Value;
  /** Input `index`, if it is there. */
  optional(index: number): Value | undefined;
  /** Output `index` of the forward node; one that nobody wanted so far is made now. */
  output(index: number): Value;
  /** Gradient of the loss by output `index`; undefined where the loss does not depend on it. */
  arriving(index: number): Value | undefined;
  /** Is the gradient by input `index` asked for? */
  wants(index: number): boolean;
  /** Input `index` where it is known while the graph is built. */
  constant(index: number): Tensor | undefined;
  /** Puts other nodes where the forward node stands. They must make its outputs, under their names. */
  instead(build: (forward: GradientBuilder) => void): void;
}

/**
 * The gradient of the loss by each input (undefined where it is not wanted, or zero), given those by the outputs. It has
 * the input's shape; for codes (the output of QuantizeLinear) it is the gradient by the code as a real number, in float.
 */
export type Gradient = (context: GradientContext) => readonly (Value | undefined)[];
