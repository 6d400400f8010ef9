import { CompileError } from "../../error.ts";
import type { Operand, Storage } from "../../schedule/program.ts";

export type NumberArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;
export type AnyArray = NumberArray | BigInt64Array | BigUint64Array;

/** Zeroed bytes. Throws trust/too-large where the host has not as many. */
function reserve(byteLength: number): ArrayBuffer {
  try {
    return new ArrayBuffer(byteLength);
  } catch (cause) {
    throw new CompileError("trust/too-large", `the program needs a memory of ${byteLength} bytes`, {
      remedy: "run it on a host with more memory, if you trust where it comes from",
      cause,
    });
  }
}

/** A memory as bytes, and the same bytes as every type. */
export class Memory {
  readonly bytes: Uint8Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  private readonly arrays: Readonly<Record<Storage, AnyArray>>;

  constructor(byteLength: number) {
    const buffer = reserve(Math.ceil(byteLength / 8) * 8);
    this.bytes = new Uint8Array(buffer);
    this.int8 = new Int8Array(buffer);
    this.int16 = new Int16Array(buffer);
    const uint16 = new Uint16Array(buffer);
    this.arrays = {
      int8: this.int8,
      uint8: this.bytes,
      bool: this.bytes,
      int16: this.int16,
      uint16,
      float16: uint16,
      bfloat16: uint16,
      int32: new Int32Array(buffer),
      uint32: new Uint32Array(buffer),
      int64: new BigInt64Array(buffer),
      uint64: new BigUint64Array(buffer),
      float32: new Float32Array(buffer),
      float64: new Float64Array(buffer),
    };
  }

  array(dtype: Storage): AnyArray {
    return this.arrays[dtype];
  }
}

export const ELEMENT_BYTES: Readonly<Record<Storage, number>> = {
  int8: 1,
  uint8: 1,
  bool: 1,
  int16: 2,
  uint16: 2,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
};

/** A resolved operand: the array of its type, and where it begins there, in elements. */
export interface Place<A extends AnyArray = NumberArray> {
  readonly data: A;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The two memories that a command sees: its NPU's SRAM, and the DRAM that all share. */
export class Memories {
  readonly sram: Memory;
  readonly dram: Memory;

  constructor(sram: Memory, dram: Memory) {
    this.sram = sram;
    this.dram = dram;
  }

  any(operand: Operand): Place<AnyArray> {
    const data = (operand.space === "sram" ? this.sram : this.dram).array(operand.dtype);
    const offset = operand.address / ELEMENT_BYTES[operand.dtype];
    return { data, offset, shape: operand.shape, strides: operand.strides };
  }

  /** `checkCommand` has made sure that the type is one of numbers. */
  numbers(operand: Operand): Place {
    return this.any(operand) as Place;
  }
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** All elements in row-major order. */
export function gatherNumbers(place: Place): Float64Array {
  const values = new Float64Array(sizeOf(place.shape));
  const { data } = place;
  let at = 0;
  forEachRow(place.shape, [place.strides], (count, [offset], [step]) => {
    for (let i = 0, from = place.offset + offset; i < count; i++, from += step) values[at++] = data[from];
  });
  return values;
}

/**
 * Walks views of one shape row by row: `visit(count, offsets, steps)` gets, for every view, where the row begins and the
 * stride of its last axis. Neighbouring axes that every view steps through evenly are joined first, so that contiguous
 * tensors are one row.
 */
export function forEachRow(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (count: number, offsets: readonly number[], steps: readonly number[]) => void,
): void {
  const joined = joinAxes(shape, strides);
  const rank = joined.shape.length;
  const count = rank === 0 ? 1 : joined.shape[rank - 1];
  const steps = joined.strides.map((list) => (rank === 0 ? 1 : list[rank - 1]));
  const outer = joined.shape.slice(0, Math.max(0, rank - 1));
  const rows = sizeOf(outer);
  const index = new Array<number>(outer.length).fill(0);
  const offsets = strides.map(() => 0);
  for (let row = 0; row < rows; row++) {
    visit(count, offsets, steps);
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      const carries = ++index[axis] === outer[axis];
      for (let view = 0; view < offsets.length; view++) {
        const stride = joined.strides[view][axis];
        offsets[view] += carries ? stride * (1 - outer[axis]) : stride;
      }
      if (!carries) break;
      index[axis] = 0;
    }
  }
}

function joinAxes(shape: readonly number[], strides: readonly (readonly number[])[]) {
  const sizes: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = sizes.length - 1;
    const joins = last >= 0 && strides.every((list, view) => steps[view][last] === list[axis] * shape[axis]);
    if (joins) {
      sizes[last] *= shape[axis];
      for (let view = 0; view < strides.length; view++) steps[view][last] = strides[view][axis];
    } else {
      sizes.push(shape[axis]);
      for (let view = 0; view < strides.length; view++) steps[view].push(strides[view][axis]);
    }
  }
  return { shape: sizes, strides: steps };
}
