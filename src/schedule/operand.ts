/** What commands work on: strided views of memory, and the constants of the post stage. */
import type { DType } from "../ir/graph.ts";

/** Types that memory can hold: whole bytes, fixed size. */
export type Storage = Extract<
  DType,
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "bool"
>; // prettier-ignore

/** Where bytes live. SRAM is the command's own NPU's. */
export type Space = "sram" | "dram";

/** A strided view. `address` in bytes (a multiple of the element's size), `strides` in elements (0: broadcast). */
export interface Operand {
  readonly space: Space;
  readonly address: number;
  readonly dtype: Storage;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/**
 * Weights of the array. With int4, strides are counted in halves of bytes, and a byte's low half is first; each output channel's
 * codes lie side by side, in row-major order of the other axes, and begin with a byte. What the array multiplies with is then
 * the code times its multiplier, saturated to [−127, 127].
 */
export type WeightOperand = Omit<Operand, "dtype"> & { readonly dtype: WeightType };

type WeightType = Storage | "int4";

/** Factors of codes of 4 bits, one a block of `block` neighbours within an output channel: uint8 [channels, blocks]. */
export interface Multipliers {
  readonly values: Operand;
  readonly block: number;
}

export type Round = "tosa-single" | "tosa-double" | "ort-f32-rne";

/** From accumulator to stored code: docs/integer-semantics.md, "The post stage". */
export interface Post {
  /** One element, or one an output channel. float32 under ort-f32-rne. */
  readonly multiplier: Operand;
  readonly shift: Operand;
  /** The activation between requantization and storage. */
  readonly table?: PostTable;
  readonly round: Round;
  readonly wide: boolean;
  readonly yZero: number;
  readonly yMin: number;
  readonly yMax: number;
}

/** An activation's samples, and the second requantization, from sample to code: one element, or one an output channel. */
export interface PostTable {
  /** int16[513]. */
  readonly knots: Operand;
  readonly multiplier: Operand;
  readonly shift: Operand;
}

/** Bytes of one element. */
export const STORAGE_BYTES: Readonly<Record<WeightType, number>> = {
  int4: 0.5,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  bool: 1,
}; // prettier-ignore
