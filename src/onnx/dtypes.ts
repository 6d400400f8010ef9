import type { DType } from "../ir/graph.ts";

/** TensorProto.DataType: position is number. UNDEFINED is 0. */
const NAMES: readonly (DType | undefined)[] = [
  undefined,
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "uint4",
  "int4",
  "float4e2m1",
  "float8e8m0",
  "uint2",
  "int2",
];

const NUMBERS = new Map(NAMES.map((name, number) => [name, number]));

/** ONNX's number of a storage type, as in `Cast`'s attribute `to`. */
export function dtypeNumber(dtype: DType): number {
  return NUMBERS.get(dtype) as number;
}

/** The storage type of ONNX's number; undefined for 0 and for numbers that IR version 13 does not have. */
export function dtypeOfNumber(number: number | bigint): DType | undefined {
  return NAMES[Number(number)];
}
