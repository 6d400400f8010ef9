import { describe, expect, it } from "vitest";
import type { DType } from "../../src/ir/graph.ts";
import { decode, encode, integerRange } from "../../src/ir/numbers.ts";

describe("decode(encode(x))", () => {
  it.each<[DType, number[]]>([
    ["float16", [0, -0, 1.5, 65504, 2 ** -24, Number.POSITIVE_INFINITY]],
    ["bfloat16", [1, -3.140625, 2 ** 100]],
    ["float8e4m3fn", [448, -0.5, 2 ** -9]],
    ["float4e2m1", [0, 0.5, 6, -3, 1.5]],
    ["int4", [-8, 7, 0, -1, 3]],
    ["uint4", [15, 0, 8]],
    ["int2", [-2, 1, 0, -1, 1]],
    ["uint2", [3, 2, 1, 0, 3]],
    ["int8", [-128, 127]],
    ["complex64", [1, 2, 3, 4]],
  ])("keeps %s", (dtype, values) => {
    const shape = [dtype === "complex64" ? values.length / 2 : values.length];
    expect(Array.from(decode({ dtype, shape, data: encode(dtype, values) }), Number)).toEqual(values);
  });
});

describe("encode", () => {
  it("stores the first int4 in the low bits", () => expect(encode("int4", [1, -1])).toEqual(new Uint8Array([0xf1])));
  it("saturates float8", () => {
    expect(decode({ dtype: "float8e4m3fn", shape: [1], data: encode("float8e4m3fn", [1e6]) })[0]).toBe(448);
  });
  it("keeps int64 exact", () => expect(encode("int64", [2n ** 62n])).toEqual(new BigInt64Array([2n ** 62n])));
});

it.each<[DType, readonly [number, number]]>([
  ["int2", [-2, 1]],
  ["uint8", [0, 255]],
  ["int32", [-2147483648, 2147483647]],
  ["bool", [0, 1]],
])("%s spans %j", (dtype, range) => expect(integerRange(dtype)).toEqual(range));
