import { expect, it } from "vitest";
import { dequantize } from "../../src/ir/codes.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { randomValues } from "../../src/ir/text/values.ts";
import { quantizeWeights } from "../../src/quant/weights.ts";

it.each([0, 1, undefined])("weights are within half a step of the teacher's, axis %s", (axis) => {
  const tensor = float32([4, 3, 2], randomValues("float32", 24, 5));
  const codes = quantizeWeights(tensor, axis);
  const back = dequantize(codes).data as Float32Array;
  const scales = codes.quant?.scale ?? [];
  expect(scales.length).toBe(axis === undefined ? 1 : tensor.shape[axis]);
  (tensor.data as Float32Array).forEach((value, index) => {
    expect(Math.abs(back[index] - value)).toBeLessThanOrEqual((Math.max(...scales) / 2) * 1.0001);
  });
  expect(Math.max(...(codes.data as Int8Array).map(Math.abs))).toBe(127);
  expect((codes.data as Int8Array).includes(-128)).toBe(false);
});

it("a channel of zeros gets a scale that its bias survives", () => {
  const codes = quantizeWeights(float32([2, 2], [0, 0, 1, -1]), 0);
  expect(codes.quant?.scale[0]).toBeGreaterThan(0);
  expect([...(codes.data as Int8Array)]).toEqual([0, 0, 127, -127]);
});
