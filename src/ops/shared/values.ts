/** What `evaluate` functions share: reading inputs, and the elements of a tensor as one entry each, whatever the packing. */
import { bug } from "../../error.ts";
import {
  type DType,
  elementCount,
  type Node,
  type RuntimeValue,
  type Tensor,
  type TypedArray,
} from "../../ir/graph.ts";
import { pack, packedBits, unpack } from "../../ir/numbers.ts";
import { allocate, isLazy, valuesOf } from "../../ir/tensor.ts";
import { nameOfInput, reject } from "./types.ts";

export { integersOf } from "./integers.ts";

/** One element: int64 and uint64 are bigint, strings are strings, float8 and the like are their bits, all else is a number. */
export type Element = number | bigint | string;

/** Elements to read by index. */
export type Elements = { readonly length: number; readonly [index: number]: Element };

/** Elements to write by index: a typed array wraps integers modulo its width and rounds floats. */
export type MutableElements = { readonly length: number; [index: number]: Element };

function isTensor(value: RuntimeValue): value is Tensor {
  return value !== undefined && !Array.isArray(value);
}

/** The tensor at a required input. Throws model/invalid-node where it is absent or a sequence. */
export function tensorAt(node: Node, inputs: readonly RuntimeValue[], index: number): Tensor {
  const value = inputs[index];
  if (isTensor(value)) return value;
  return reject(node, value === undefined ? `input ${index} is missing` : `${nameOfInput(node, index)} is a sequence`);
}

/** The tensor at an optional input. */
export function optionalTensorAt(node: Node, inputs: readonly RuntimeValue[], index: number): Tensor | undefined {
  return inputs[index] === undefined ? undefined : tensorAt(node, inputs, index);
}

/** The sequence at a required input. */
export function sequenceAt(node: Node, inputs: readonly RuntimeValue[], index: number): readonly Tensor[] {
  const value = inputs[index];
  if (Array.isArray(value)) return value as readonly Tensor[];
  return reject(node, `${nameOfInput(node, index)} is not a sequence`);
}

/** All inputs as tensors (variadic operators). */
export function allTensors(node: Node, inputs: readonly RuntimeValue[]): Tensor[] {
  return inputs.map((_, index) => tensorAt(node, inputs, index));
}

/**
 * The elements, one entry each: packed types (int4, int2, …) are unpacked (signed ones sign-extended, float4 as bits).
 * The array may be the tensor's own: read only. Complex tensors have two entries an element.
 */
export function elementsOf(tensor: Tensor): Elements {
  if (tensor.dtype === "string") {
    if (isLazy(tensor.data)) bug("a string tensor lies in a file");
    return tensor.data as readonly string[];
  }
  return unpack(tensor.dtype, valuesOf(tensor), elementCount(tensor.shape));
}

/** Room for `count` elements of a dtype, one entry each (packed types get a byte an element until `fromElements`). */
export function room(dtype: DType, count: number): MutableElements {
  if (dtype === "string") return new Array<string>(count).fill("");
  if (packedBits(dtype) !== undefined) return dtype.startsWith("int") ? new Int8Array(count) : new Uint8Array(count);
  return allocate(dtype, count) as unknown as MutableElements;
}

/** A tensor from elements that are already of its kind (bigint for int64); packs int4 and the like. */
export function fromElements(dtype: DType, shape: readonly number[], values: Elements): Tensor {
  if (dtype === "string") return { dtype, shape, data: Array.from(values as ArrayLike<string>) };
  const width = packedBits(dtype);
  if (width !== undefined) return { dtype, shape, data: pack(dtype, width, values as ArrayLike<number>) };
  if (ArrayBuffer.isView(values)) return { dtype, shape, data: values as unknown as TypedArray };
  const data = allocate(dtype, elementCount(shape)) as unknown as MutableElements;
  for (let index = 0; index < values.length; index++) data[index] = values[index];
  return { dtype, shape, data: data as unknown as TypedArray };
}

/** The elements as doubles (int64 beyond 2^53 is rounded). The array may be the tensor's own: read only. */
export function doublesOf(tensor: Tensor): ArrayLike<number> {
  const values = elementsOf(tensor);
  if (tensor.dtype === "int64" || tensor.dtype === "uint64")
    return Float64Array.from(values as ArrayLike<bigint>, Number);
  return values as ArrayLike<number>;
}

/** A tensor from doubles: floats are rounded once to the dtype, integers truncated and wrapped. */
export function fromDoubles(dtype: DType, shape: readonly number[], values: ArrayLike<number>): Tensor {
  const data = room(dtype, values.length);
  const big = dtype === "int64" || dtype === "uint64";
  for (let index = 0; index < values.length; index++) {
    data[index] = big ? BigInt(Math.trunc(values[index])) : values[index];
  }
  return fromElements(dtype, shape, data);
}

/** The one element of a scalar or one-element tensor, as a number. */
export function scalarOf(node: Node, tensor: Tensor): number {
  if (elementCount(tensor.shape) !== 1) reject(node, `a scalar was expected, not shape [${tensor.shape}]`);
  return Number(elementsOf(tensor)[0]);
}

/** The elements of `tensor` at the flat positions `offsets` (−1: the dtype's zero), in a new tensor of `shape`. */
export function gatherOffsets(tensor: Tensor, shape: readonly number[], offsets: ArrayLike<number>): Tensor {
  if (tensor.dtype === "complex64" || tensor.dtype === "complex128")
    bug("complex tensors are not moved element by element");
  const source = elementsOf(tensor);
  const target = room(tensor.dtype, offsets.length);
  for (let index = 0; index < offsets.length; index++) if (offsets[index] >= 0) target[index] = source[offsets[index]];
  return fromElements(tensor.dtype, shape, target);
}

/** The same numbers under another shape. */
export function reshaped(tensor: Tensor, shape: readonly number[]): Tensor {
  return { ...tensor, shape };
}
