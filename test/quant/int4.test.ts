import { describe, expect, it } from "vitest";
import { dequantize } from "../../src/ir/codes.ts";
import type { Tensor } from "../../src/ir/graph.ts";
import { decode } from "../../src/ir/numbers.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { randomValues } from "../../src/ir/text/values.ts";
import type { Block, WeightScales } from "../../src/quant/format.ts";
import { quantizeInt4 } from "../../src/quant/int4.ts";

/** Rows whose blocks differ in size by up to a factor of 20. */
function uneven(shape: readonly number[], seed: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return float32(
    shape,
    randomValues("float32", count, seed).map((value, at) => value * (1 + ((Math.floor(at / 32) * 7) % 20))),
  );
}

function errorOf(tensor: Tensor, axis: number, block: Block, scales: WeightScales): number {
  const back = dequantize(quantizeInt4(tensor, axis, block, scales)).data as Float32Array;
  return (tensor.data as Float32Array).reduce((sum, value, index) => sum + (value - back[index]) ** 2, 0);
}

describe("quantizeInt4", () => {
  it.each([
    [[6, 100], 0, 32],
    [[100, 6], 1, 32],
    [[4, 9, 3, 3], 0, 64],
    [[9, 4, 3, 3], 1, 64],
    [[8, 10], 0, "all"],
    [[5, 0], 0, 32],
  ] as const)("rounds %j along %d in blocks of %s, clipping nothing", (shape, axis, block) => {
    const tensor = uneven(shape, 3);
    const codes = quantizeInt4(tensor, axis, block, "max");
    const { scale = new Float32Array(), multipliers } = codes.quant ?? {};
    expect(scale.length).toBe(shape[axis]);
    const back = dequantize(codes).data as Float32Array;
    const steps = dequantize({ ...codes, data: new Uint8Array((codes.data as Uint8Array).length).fill(0x11) });
    (tensor.data as Float32Array).forEach((value, index) => {
      expect(Math.abs(back[index] - value)).toBeLessThanOrEqual(((steps.data as Float32Array)[index] / 2) * 1.001);
    });
    const unit = dequantize({ ...codes, quant: { ...codes.quant, scale: scale.map(() => 1) } as Tensor["quant"] });
    for (const whole of unit.data as Float32Array) expect(Math.abs(whole)).toBeLessThanOrEqual(119);
    for (const value of multipliers?.values ?? []) expect(value).toBeLessThanOrEqual(17);
  });

  it("errs less in smaller blocks, and less where the error decides than where the largest does", () => {
    const tensor = uneven([8, 256], 5);
    const errors = ([256, 128, 64, 32] as const).map((block) => errorOf(tensor, 0, block as Block, "mse"));
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    for (const block of [32, 64, 128, "all"] as const) {
      expect(errorOf(tensor, 0, block, "mse")).toBeLessThanOrEqual(errorOf(tensor, 0, block, "max"));
    }
  });

  it("a channel of zeros gets a scale that its bias survives", () => {
    const codes = quantizeInt4(float32([2, 2], [0, 0, 1, -1]), 0, "all", "mse");
    expect(codes.quant?.scale[0]).toBeGreaterThan(0);
    expect([...(decode(codes) as Int8Array)].slice(0, 2)).toEqual([0, 0]);
  });
});
