import type { DType, Node, Tensor } from "../../ir/graph.ts";
import type { Kernels } from "../kernels/load.ts";
import type { Layout } from "./memory.ts";

/** A value in the program's memory. */
export interface Slot {
  readonly address: number;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Of one code. */
  readonly bytes: number;
  readonly count: number;
}

/** What the compilation of one node may ask. */
export interface StepContext {
  readonly node: Node;
  readonly kernels: Kernels;
  readonly layout: Layout;
  /** Input `index` in memory (constants too, once asked for). */
  input(index: number): Slot;
  has(index: number): boolean;
  /** Input `index` where it is a constant. */
  constant(index: number): Tensor | undefined;
  readonly output: Slot;
  /** Another node with the same accumulators, which the step computes too. */
  readonly twin?: StepContext;
}

/** Runs one node on what lies in memory. */
export type Step = () => void;

/** Undefined where the kernels have no form of the node: the oracle then computes it. */
export type CompileStep = (context: StepContext) => Step | undefined;

/** What a packing kernel takes of a code (see kernels/assembly/pack.ts): 16-bit operands go in two 8-bit passes. */
export function partsOf(dtype: DType): readonly number[] {
  if (dtype === "int16") return [1, 2];
  return dtype === "uint8" ? [3] : [0];
}
