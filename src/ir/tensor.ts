import { type DType, elementCount, type LazyBytes, type Quant, type Tensor, type TypedArray } from "./graph.ts";

type ArrayConstructor = {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
};

/** The array that holds each storage type (packed types: bytes; complex: the interleaved floats). */
export const ARRAYS: Readonly<Record<Exclude<DType, "string">, ArrayConstructor>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float8e4m3fn: Uint8Array,
  float8e4m3fnuz: Uint8Array,
  float8e5m2: Uint8Array,
  float8e5m2fnuz: Uint8Array,
  float8e8m0: Uint8Array,
  float4e2m1: Uint8Array,
  int2: Uint8Array,
  uint2: Uint8Array,
  int4: Uint8Array,
  uint4: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  complex64: Float32Array,
  complex128: Float64Array,
} as unknown as Record<Exclude<DType, "string">, ArrayConstructor>; // prettier-ignore

/** How many array elements hold a tensor of `count` elements (packed types hold several in one; complex needs two). */
export function arrayLength(dtype: DType, count: number): number {
  switch (dtype) {
    case "int4":
    case "uint4":
    case "float4e2m1":
      return Math.ceil(count / 2);
    case "int2":
    case "uint2":
      return Math.ceil(count / 4);
    case "complex64":
    case "complex128":
      return count * 2;
    default:
      return count;
  } // prettier-ignore
}

export function isLazy(data: Tensor["data"]): data is LazyBytes {
  return "lazy" in data;
}

/** A zero-filled array for a tensor of this type. Strings are not arrays of numbers: `bug` to ask. */
export function allocate(dtype: DType, count: number): TypedArray {
  if (dtype === "string") throw new Error("bug: strings have no typed array");
  return new ARRAYS[dtype](arrayLength(dtype, count));
}

/**
 * Frees the memory of an array that nobody needs any more: it has no numbers then. Otherwise it waits for a collection of garbage,
 * which comes late where the arrays are large and JavaScript's own memory is small. Memory that threads share stays.
 */
export function free({ buffer }: TypedArray): void {
  // Two arrays may lie in one piece of memory.
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}

/** The tensor's numbers, read from its file first if they still lie there. Not for strings. */
export function valuesOf(tensor: Tensor): TypedArray {
  const { data, dtype } = tensor;
  if (Array.isArray(data) || dtype === "string") throw new Error("bug: a string tensor has no numbers");
  if (!isLazy(data as Tensor["data"])) return data as TypedArray;
  return viewBytes(dtype, elementCount(tensor.shape), (data as LazyBytes).read());
}

/** Little-endian bytes as the array of a type; copies only where the bytes are not aligned. */
export function viewBytes(dtype: DType, count: number, bytes: Uint8Array): TypedArray {
  if (dtype === "string") throw new Error("bug: strings have no typed array");
  const Type = ARRAYS[dtype];
  const length = arrayLength(dtype, count);
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Type(aligned.buffer, aligned.byteOffset, length);
}

/** The tensor's bytes, little-endian, without a copy where they are in memory. */
export function bytesOf(tensor: Tensor): Uint8Array {
  const values = valuesOf(tensor);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The tensor's elements as JavaScript numbers in an array (int64 beyond 2^53 loses precision; use valuesOf there). */
export function numbersOf(tensor: Tensor): number[] {
  const values = valuesOf(tensor);
  const numbers = new Array<number>(values.length);
  // Array.from takes five times as long.
  for (let index = 0; index < numbers.length; index++) numbers[index] = Number(values[index]);
  return numbers;
}

export function makeTensor(dtype: DType, shape: readonly number[], data: TypedArray, quant?: Quant): Tensor {
  return quant === undefined ? { dtype, shape, data } : { dtype, shape, data, quant };
}

export function float32(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return { dtype: "float32", shape, data: Float32Array.from(values) };
}

export function int64(shape: readonly number[], values: readonly (number | bigint)[]): Tensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

export function scalar(dtype: DType, value: number | bigint): Tensor {
  const data = allocate(dtype, 1) as { [index: number]: number | bigint };
  data[0] = data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(value) : Number(value);
  return { dtype, shape: [], data: data as TypedArray };
}

/** C order strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}
