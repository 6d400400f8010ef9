import { describe, expect, it } from "vitest";
import { channelValues, fromReals, numberOf, realsOf, scaleAxis } from "../../src/ir/channels.ts";
import { float32, int64 } from "../../src/ir/tensor.ts";

describe("scaleAxis", () => {
  it.each([
    [0, [10, 100], [10, 20, 300, 400]],
    [1, [10, 100], [10, 200, 30, 400]],
  ])("multiplies along axis %d", (axis, factors, wanted) => {
    expect(scaleAxis(float32([2, 2], [1, 2, 3, 4]), axis, factors).data).toEqual(Float32Array.from(wanted));
  });
  it("keeps the type, rounding once", () => {
    const half = fromReals("float16", [1], [0.1]);
    expect(scaleAxis(half, 0, [3])).toEqual(fromReals("float16", [1], [3 * 0.0999755859375]));
  });
});

describe("channelValues", () => {
  it.each<[number[], number[] | undefined]>([
    [[], [7, 7, 7]],
    [[1], [7, 7, 7]],
    [
      [3, 1, 1],
      [7, 7, 7],
    ],
    [
      [1, 3, 1, 1],
      [7, 7, 7],
    ],
    [[3], undefined],
    [[3, 1], undefined],
    [[2, 3, 1, 1], undefined],
    [[1, 1, 1, 1, 1], undefined],
  ])("reads %j against [n, 3, h, w]", (shape, wanted) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const found = channelValues(float32(shape, new Array(count).fill(7)), 4, 1, 3);
    expect(found && [...found]).toEqual(wanted);
  });
});

it("reads numbers of plain floats only", () => {
  expect(numberOf(float32([1], [2]))).toBe(2);
  expect(numberOf(float32([2], [2, 2]))).toBeUndefined();
  expect(numberOf(undefined)).toBeUndefined();
  expect(realsOf(int64([1], [2]))).toBeUndefined();
  expect(
    realsOf({ ...float32([1], [2]), quant: { scale: Float32Array.of(1), zeroPoint: Int32Array.of(0) } }),
  ).toBeUndefined();
});
