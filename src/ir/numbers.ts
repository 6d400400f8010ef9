/** A tensor's elements as the numbers they stand for, whatever the storage: small floats decoded, packed types unpacked. */
import { type DType, elementCount, type Tensor, type TypedArray } from "./graph.ts";
import { decodeSmallFloat, encodeSmallFloat, isSmallFloat, type SmallFloat } from "./numeric.ts";
import { allocate, valuesOf } from "./tensor.ts";

export { roundHalfEven } from "./numeric.ts";

export function isFloat(dtype: DType): boolean {
  return dtype === "float32" || dtype === "float64" || isSmallFloat(dtype);
}

/** Bits of one element where several share a byte, else undefined. */
export function packedBits(dtype: DType): 2 | 4 | undefined {
  if (dtype === "int4" || dtype === "uint4" || dtype === "float4e2m1") return 4;
  return dtype === "int2" || dtype === "uint2" ? 2 : undefined;
}

/** Lowest and highest code of an integer type of at most 32 bits (bool: 0 and 1). */
export function integerRange(dtype: DType): readonly [number, number] {
  if (dtype === "bool") return [0, 1];
  const found = /^(u?)int(2|4|8|16|32)$/.exec(dtype);
  if (found === null) throw new Error(`bug: ${dtype} has no range in JavaScript numbers`);
  const width = Number(found[2]);
  return found[1] === "u" ? [0, 2 ** width - 1] : [-(2 ** (width - 1)), 2 ** (width - 1) - 1];
}

/** One array element per tensor element: the codes of packed types, sign-extended where the type has a sign. */
export function unpack(dtype: DType, data: TypedArray, count: number): TypedArray {
  const width = packedBits(dtype);
  if (width === undefined) return data;
  const perByte = 8 / width;
  const mask = (1 << width) - 1;
  const signed = dtype === "int4" || dtype === "int2";
  const codes = signed ? new Int8Array(count) : new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    const byte = Number(data[Math.floor(index / perByte)]);
    const code = (byte >> ((index % perByte) * width)) & mask;
    codes[index] = signed && code > mask >> 1 ? code - mask - 1 : code;
  }
  return codes;
}

/** Codes of a packed type, `width` bits each, low bits first. */
export function pack(dtype: DType, width: 2 | 4, codes: ArrayLike<number | bigint>): TypedArray {
  const data = allocate(dtype, codes.length) as Uint8Array;
  const perByte = 8 / width;
  const mask = (1 << width) - 1;
  for (let index = 0; index < codes.length; index++) {
    data[Math.floor(index / perByte)] |= (Number(codes[index]) & mask) << ((index % perByte) * width);
  }
  return data;
}

const tables = new Map<SmallFloat, Float32Array>();

function tableOf(format: SmallFloat): Float32Array {
  let table = tables.get(format);
  if (table === undefined) {
    const width = format === "float4e2m1" ? 4 : format.startsWith("float8") ? 8 : 16;
    table = Float32Array.from({ length: 2 ** width }, (_, pattern) => decodeSmallFloat(format, pattern));
    tables.set(format, table);
  }
  return table;
}

/**
 * The numbers that a tensor's stored elements stand for, quantization aside. float32, float64 and integers are the tensor's
 * own array: read only. complex: interleaved parts. Not for strings.
 */
export function decode(tensor: Tensor): TypedArray {
  const codes = unpack(tensor.dtype, valuesOf(tensor), elementCount(tensor.shape));
  if (!isSmallFloat(tensor.dtype)) return codes;
  const table = tableOf(tensor.dtype);
  const numbers = new Float32Array(codes.length);
  for (let index = 0; index < codes.length; index++) numbers[index] = table[Number(codes[index])];
  return numbers;
}

/**
 * Numbers as a type stores them: floats to nearest even (float8 and float4 saturate), packed types packed; integers must
 * already lie in the type's range (typed arrays wrap them around).
 */
export function encode(dtype: DType, numbers: ArrayLike<number | bigint>): TypedArray {
  const width = packedBits(dtype);
  if (isSmallFloat(dtype)) {
    const saturate = dtype !== "float16" && dtype !== "bfloat16";
    const patterns = Array.from(numbers, (value) => encodeSmallFloat(dtype, Number(value), saturate));
    if (width !== undefined) return pack(dtype, width, patterns);
    return saturate ? Uint8Array.from(patterns) : Uint16Array.from(patterns);
  }
  if (width !== undefined) return pack(dtype, width, numbers);
  const data = allocate(dtype, numbers.length / (dtype.startsWith("complex") ? 2 : 1));
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let index = 0; index < data.length; index++) data[index] = BigInt(numbers[index]);
  } else for (let index = 0; index < data.length; index++) data[index] = Number(numbers[index]);
  return data;
}
