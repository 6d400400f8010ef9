import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dequantize, quantize, scaleIndex } from "../../src/ir/codes.ts";
import type { Quant } from "../../src/ir/graph.ts";
import { decode, encode } from "../../src/ir/numbers.ts";
import { float32 } from "../../src/ir/tensor.ts";

const quant = (scale: number[], zero: number[], rest: Partial<Quant> = {}): Quant => ({
  scale: Float32Array.from(scale),
  zeroPoint: Int32Array.from(zero),
  ...rest,
});

describe("quantize", () => {
  it("divides, rounds half to even, adds the zero point and saturates", () => {
    const codes = quantize(float32([6], [0.5, 1.5, -0.5, 200, -200, Number.NaN]), "int8", quant([1], [1]));
    expect([...(codes.data as Int8Array)]).toEqual([1, 3, 1, 127, -128, 1]);
  });
  it("packs int4, with a scale for each channel", () => {
    const codes = quantize(float32([2, 2], [1, -1, 4, -4]), "int4", quant([1, 2], [0], { axis: 0 }));
    expect(codes.data).toEqual(Uint8Array.of(0xf1, 0xe2));
  });
});

describe("scaleIndex", () => {
  it("follows channels and blocks", () => {
    const channels = scaleIndex([2, 3], quant([1, 2, 3], [0], { axis: 1 }));
    expect(Array.from({ length: 6 }, (_, index) => channels(index))).toEqual([0, 1, 2, 0, 1, 2]);
    const blocks = scaleIndex([5, 2], quant([1, 2, 3, 4, 5, 6], [0], { axis: 0, block: 2 }));
    expect(Array.from({ length: 10 }, (_, index) => blocks(index))).toEqual([0, 1, 0, 1, 2, 3, 2, 3, 4, 5]);
  });
});

describe("multipliers", () => {
  const multipliers = { block: 2, values: Uint8Array.of(1, 3, 2, 5) };
  it("scale the codes of a block of each channel, counted along the other axes", () => {
    const rows = quant([1, 0.5], [0], { axis: 0, multipliers });
    const real = float32([2, 3], [1, -8, 6, 3, 7, -15]);
    const codes = quantize(real, "int4", rows);
    expect([...(decode(codes) as Int8Array)]).toEqual([1, -8, 2, 3, 7, -6]);
    expect([...(dequantize(codes).data as Float32Array)]).toEqual([1, -8, 6, 3, 7, -15]);
  });
  it("go with a channel on the last axis", () => {
    const columns = { dtype: "int4", shape: [3, 2], data: encode("int4", [1, 1, 1, 1, 1, 1]) } as const;
    const real = dequantize({ ...columns, quant: quant([1, 0.5], [0], { axis: 1, multipliers }) });
    expect([...(real.data as Float32Array)]).toEqual([1, 1, 1, 1, 3, 2.5]);
  });
});

it("comes back within half a step, wherever nothing saturates", () => {
  fc.assert(
    fc.property(fc.float({ min: -50, max: 50, noNaN: true }), fc.integer({ min: -20, max: 20 }), (value, zero) => {
      const codes = quantize(float32([1], [value]), "int8", quant([0.5], [zero]));
      expect(Math.abs(Number((dequantize(codes).data as Float32Array)[0]) - value)).toBeLessThanOrEqual(0.2501);
    }),
    { seed: 4 },
  );
});
