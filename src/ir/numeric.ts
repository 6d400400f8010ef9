/**
 * Numbers in fewer bits: the small float formats as bit patterns. Every encoder rounds half to even, once, from a
 * double; decoding is exact.
 */
import type { DType } from "./graph.ts";

interface Format {
  readonly mantissa: number;
  readonly bias: number;
  readonly bits: number;
  /** Largest finite magnitude's pattern. */
  readonly top: number;
  /** Pattern of infinity, where the format has one. */
  readonly infinity?: number;
  readonly nan?: number;
  /** fnuz: there is no negative zero; its pattern is the NaN. */
  readonly unsignedZero?: boolean;
}

/** IEEE 754 half; bfloat16; the OCP 8-bit and 4-bit floats (fn: finite, NaN but no infinity; uz: unsigned zero). */
const FORMATS = {
  float16: { mantissa: 10, bias: 15, bits: 16, top: 0x7bff, infinity: 0x7c00, nan: 0x7e00 },
  bfloat16: { mantissa: 7, bias: 127, bits: 16, top: 0x7f7f, infinity: 0x7f80, nan: 0x7fc0 },
  float8e4m3fn: { mantissa: 3, bias: 7, bits: 8, top: 0x7e, nan: 0x7f },
  float8e4m3fnuz: { mantissa: 3, bias: 8, bits: 8, top: 0x7f, nan: 0x80, unsignedZero: true },
  float8e5m2: { mantissa: 2, bias: 15, bits: 8, top: 0x7b, infinity: 0x7c, nan: 0x7f },
  float8e5m2fnuz: { mantissa: 2, bias: 16, bits: 8, top: 0x7f, nan: 0x80, unsignedZero: true },
  float4e2m1: { mantissa: 1, bias: 1, bits: 4, top: 0x7 },
} as const satisfies Partial<Record<DType, Format>>;

export type SmallFloat = keyof typeof FORMATS;

export function isSmallFloat(dtype: DType): dtype is SmallFloat {
  return dtype in FORMATS;
}

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** ⌊log2 |x|⌋ of a finite double (its exponent field; subnormal doubles count as 2^−1023, below every small format). */
function exponentOf(x: number): number {
  double[0] = x;
  return ((words[1] >>> 20) & 0x7ff) - 1023;
}

/** Nearest integer, halves to the even one. Exact for |x| < 2^52. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * The pattern nearest to `x`. Beyond the largest finite number: that number if `saturate` (infinities too), else infinity,
 * or NaN where the format has none. float4e2m1 has neither and always saturates (its NaN becomes the largest number).
 */
export function encodeSmallFloat(format: SmallFloat, x: number, saturate = false): number {
  const { mantissa, bias, bits, top, infinity, nan, unsignedZero }: Format = FORMATS[format];
  const sign = x < 0 || Object.is(x, -0) ? 2 ** (bits - 1) : 0;
  if (Number.isNaN(x)) return nan ?? top;
  const magnitude = Math.abs(x);
  const beyond =
    saturate || nan === undefined
      ? top + sign
      : infinity === undefined
        ? nan + (unsignedZero ? 0 : sign)
        : infinity + sign;
  if (magnitude === Number.POSITIVE_INFINITY) return beyond;
  const exponent = Math.max(exponentOf(magnitude), 1 - bias);
  // Steps of the format at this exponent. A carry out of the mantissa (steps = 2^(mantissa+1)) adds one to the exponent
  // field by itself, and with the smallest exponent the same sum gives the subnormal patterns.
  const steps = roundHalfEven(magnitude * 2 ** (mantissa - exponent));
  const pattern = (exponent + bias - 1) * 2 ** mantissa + steps;
  if (pattern > top) return beyond;
  return pattern === 0 && unsignedZero ? 0 : pattern + sign;
}

/** The number that a pattern stands for. */
export function decodeSmallFloat(format: SmallFloat, pattern: number): number {
  const { mantissa, bias, bits, top, infinity, nan, unsignedZero }: Format = FORMATS[format];
  const half = 2 ** (bits - 1);
  if (unsignedZero && pattern === nan) return Number.NaN;
  const sign = pattern >= half ? -1 : 1;
  const magnitude = pattern % half;
  if (magnitude > top) return magnitude === infinity ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const exponent = Math.floor(magnitude / 2 ** mantissa);
  const fraction = magnitude % 2 ** mantissa;
  const steps = exponent === 0 ? fraction : fraction + 2 ** mantissa;
  return sign * steps * 2 ** (Math.max(exponent, 1) - bias - mantissa);
}

/** IEEE half → number, exact. */
export function float16ToFloat32(bits: number): number {
  return decodeSmallFloat("float16", bits);
}

/** Nearest IEEE half, halves to even; beyond 65504 + 16 infinity. */
export function float32ToFloat16(x: number): number {
  return encodeSmallFloat("float16", x);
}

/** bfloat16 → number, exact. */
export function bfloat16ToFloat32(bits: number): number {
  return decodeSmallFloat("bfloat16", bits);
}

/** Nearest bfloat16, halves to even. */
export function float32ToBfloat16(x: number): number {
  return encodeSmallFloat("bfloat16", x);
}
