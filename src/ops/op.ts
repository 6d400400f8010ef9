import type { Dim, Graph, Node, RuntimeValue, Tensor, Type } from "../ir/graph.ts";
import type { Gradient } from "./gradient.ts";
import type { IntegerLowering, RidingOf } from "./integer.ts";

/** What an operator may ask while its output types are worked out. */
export interface InferContext {
  /** The value of input `index`, where it is a constant (shapes, axes, indices). */
  constant(index: number): Tensor | undefined;
  /** Type inference inside a subgraph, given its inputs' types. Returns its outputs' types. */
  subgraph(graph: Graph, inputs: readonly Type[]): Type[];
}

/** What an operator may ask while it computes. */
export interface EvaluateContext {
  /** Runs a subgraph (If, Loop, Scan) with outer values in scope. */
  subgraph(graph: Graph, inputs: readonly RuntimeValue[]): RuntimeValue[];
  /** Uniform in [0, 1), seeded: for Dropout in training mode and the random operators. */
  random(): number;
}

/**
 * All knowledge of one operator: one file, found by its name (`HardSwish` → `hard-swish.ts`). Operators are written for
 * the canonical opset that `onnx/normalise` leaves; `infer` and `evaluate` never see an older form.
 */
export interface Op {
  /** Types of the outputs. Throws CompileError("model/…") for inputs that the operator does not allow. */
  infer(node: Node, inputs: readonly (Type | undefined)[], context: InferContext): Type[];
  /** The oracle: slow and obvious. Inputs are float32 where the type is quantized, float16 or bfloat16. */
  evaluate(node: Node, inputs: readonly RuntimeValue[], context: EvaluateContext): RuntimeValue[];
  /** Multiply-accumulates of one run; absent means none. */
  macs?(node: Node, inputs: readonly (Type | undefined)[], outputs: readonly Type[]): number;
  /** How the loss's gradient goes back through it; absent where none is known, which ends a training before its first step. */
  readonly gradient?: Gradient;
  /**
   * Outputs take their numbers unchanged from input 0 (from all of `operands.data` where there are several): quantization
   * passes through (Reshape, Transpose, MaxPool…).
   */
  readonly passesThrough?: boolean;
  /** How the operator is said with the chip's integer operators, once its values carry `quant`. */
  readonly integer?: IntegerLowering;
  /** Without an `integer` form: why not, and what would help. It ends the sentence "X stays on the CPU: …". */
  readonly hostOnly?: string;
  /** Its accumulator can take a riding activation before it is stored. */
  readonly carries?: boolean;
  /** Which inputs are codes once quantized; all of them where this is absent. The rest are parameters, read as reals. */
  readonly operands?: Operands;
  /** Its argument spans decades, where 8 bits would lose the small end (Softmax, Sqrt, Log): stored as int16 if it can be. */
  readonly wantsWide?: boolean;
  /** For functions of one variable: how it is applied to a producer's accumulator before anything is stored. */
  readonly riding?: RidingOf;
  /** Same output for the same input: false for the random operators, which are never folded or merged. */
  readonly deterministic?: boolean;
}

export interface Operands {
  readonly data: readonly number[];
  /** The input that holds weights when it is constant, and the axis of its output channels. */
  readonly weights?: { readonly input: number; axis(node: Node, rank: number): number };
}

export type { Dim };
