/** Conversion between dtypes as ONNX Cast defines it, and the numbers that name dtypes in models. */
import type { DType, Node, Tensor } from "../../ir/graph.ts";
import { decodeSmallFloat, encodeSmallFloat, isSmallFloat } from "../../ir/numeric.ts";
import { reject } from "./types.ts";
import { type Element, elementsOf, fromElements, room } from "./values.ts";

/** TensorProto.DataType: the position is the code. */
const CODES: readonly (DType | undefined)[] = [
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
  undefined,
  "uint2",
  "int2",
];

/** The dtype that a TensorProto.DataType code names. */
export function dtypeOfCode(code: number): DType | undefined {
  return CODES[code];
}

export function codeOfDType(dtype: DType): number {
  return CODES.indexOf(dtype);
}

/**
 * Every element converted. To integers: towards zero, then wrapped to the width (float values outside the type's range
 * are left open by ONNX; out-of-range ones go through 64 bits, NaN and infinities become 0). To bool: anything but 0.
 * To small floats: nearest, halves to even; float8 saturates if asked. Strings: parsed, or printed as C++ streams do.
 */
export function castTensor(node: Node, tensor: Tensor, dtype: DType, saturate: boolean): Tensor {
  if (tensor.dtype === dtype) return tensor;
  for (const each of [dtype, tensor.dtype]) {
    if (each.startsWith("complex") || each === "float8e8m0") reject(node, `${each} is not converted`);
  }
  const source = elementsOf(tensor);
  const target = room(dtype, source.length);
  const decode = decoder(node, tensor.dtype);
  const encode = encoder(dtype, saturate);
  for (let index = 0; index < source.length; index++) target[index] = encode(decode(source[index]));
  return fromElements(dtype, tensor.shape, target);
}

function decoder(node: Node, dtype: DType): (element: Element) => number | bigint {
  if (dtype === "string") return (element) => parse(node, element as string);
  if (isSmallFloat(dtype)) return (element) => decodeSmallFloat(dtype, element as number);
  return (element) => element as number | bigint;
}

function parse(node: Node, text: string): number | bigint {
  const trimmed = text.trim();
  if (/^[+-]?\d+$/.test(trimmed)) return Number.isSafeInteger(Number(trimmed)) ? Number(trimmed) : BigInt(trimmed);
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(trimmed);
  if (word) return word[2].toLowerCase() === "nan" ? Number.NaN : word[1] === "-" ? -Infinity : Infinity;
  const value = trimmed === "" ? Number.NaN : Number(trimmed);
  if (Number.isNaN(value)) reject(node, `"${text.slice(0, 40)}" is not a number`);
  return value;
}

function encoder(dtype: DType, saturate: boolean): (value: number | bigint) => Element {
  if (dtype === "string") return printed;
  if (dtype === "bool") return (value) => (Number(value) !== 0 ? 1 : 0);
  if (isSmallFloat(dtype)) {
    const clamp = saturate && dtype !== "float16" && dtype !== "bfloat16";
    return (value) => encodeSmallFloat(dtype, Number(value), clamp);
  }
  if (dtype === "float32" || dtype === "float64") return Number;
  if (dtype === "int64" || dtype === "uint64") return toBig;
  // BigInt.asIntN rather than the array's own conversion, so that values beyond 2^53 wrap exactly too.
  return (value) => (typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : Math.trunc(value));
}

function toBig(value: number | bigint): bigint {
  if (typeof value === "bigint") return value;
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
}

function printed(value: number | bigint): string {
  if (typeof value === "bigint" || !Number.isNaN(value)) {
    if (value === Number.POSITIVE_INFINITY) return "INF";
    return value === Number.NEGATIVE_INFINITY ? "-INF" : shortest(value);
  }
  return "NaN";
}

/** Fewest digits that read back as the same float32, since that is where the numbers of models come from. */
function shortest(value: number | bigint): string {
  if (typeof value === "bigint" || Number.isInteger(value) || Math.fround(value) !== value) return String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}
