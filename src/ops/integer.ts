import type { Attr, DType, Node, Quant, Tensor, Type } from "../ir/graph.ts";

/** A value of the integer graph under construction: its name and what its codes mean. */
export interface Code {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly quant?: Quant;
  /** Codes of 16 levels, [−8, 7], each in a byte of `dtype` int8. */
  readonly bits?: 4;
}

/** An `npu` node to emit. `type` is its output's; `name` is given where the output is the lowered node's own. */
export interface Emission {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attrs?: Readonly<Record<string, Attr | undefined>>;
  readonly type: Type;
  readonly name?: string;
}

/**
 * The activation that rides on a producer: applied to the accumulator before it is stored. `clamp` is min(high, max(low, gain·x)) with
 * a positive gain, and exact; `table` is any other function, sampled on the calibrated range of the value it is applied to.
 * `gains`, where the producer has output channels, are positive factors that come after the function: y = gains[c]·f(x).
 */
export type Riding =
  | {
      readonly kind: "clamp";
      readonly low: number;
      readonly high: number;
      readonly gain?: number;
      readonly gains?: Float64Array;
    }
  | {
      readonly kind: "table";
      readonly apply: (x: number) => number;
      readonly range: number;
      readonly gains?: Float64Array;
    };

/**
 * The riding of a node: its parameters from attributes and scalar constants; undefined where they are computed at run
 * time. `table` ranges are filled in by calibration, so `range` is a hint of where the function is still interesting.
 */
export type RidingOf = (node: Node, constant: (index: number) => number | undefined) => Riding | undefined;

/** What an operator's lowering may ask and emit. */
export interface LoweringContext {
  readonly node: Node;
  /** Rounding mode of requantization: "tosa-single" | "tosa-double" | "ort-f32-rne". */
  readonly round: string;
  /** Accumulator width of the target, bits. */
  readonly accumulatorBits: number;
  /** Input `index` as codes; constants without quantization have no Code (see `constant`). */
  input(index: number): Code | undefined;
  /** Input `index` where it is a constant, as real numbers or integers; undefined where it is computed. */
  constant(index: number): Tensor | undefined;
  /** What calibration saw of input `index`, where the lowering of its operator has use for it (a divisor). */
  range(index: number): { readonly low: number; readonly high: number } | undefined;
  /** The type that output `index` must have: its quantization is decided already. */
  output(index: number): Code;
  /** The activation to apply before storing, if one rides on this node. */
  readonly riding: Riding | undefined;
  /** Adds a constant and returns its name. Equal tensors share one. */
  add(tensor: Tensor, hint: string): string;
  /** Adds a node and returns its output's name. */
  emit(emission: Emission): string;
}

/**
 * Says the operator with `npu` operators, through `context.emit`; the last emission for each output must be named as
 * the output. Returns the sentence that tells why not, where the chip has no way; the node then stays for the CPU.
 */
export type IntegerLowering = (context: LoweringContext) => string | undefined;
