import { expect, test } from "vitest";
import { eighthRoot, wholePower } from "../../src/quant/roots.ts";

test("powers and roots are each other's way back", () => {
  expect([0, 1, 256, 2 ** -16].map(eighthRoot)).toEqual([0, 1, 2, 0.25]);
  expect([0, 1, 3, 7].map((exponent) => wholePower(3, exponent))).toEqual([1, 3, 27, 2187]);
  expect(wholePower(eighthRoot(10), 8)).toBeCloseTo(10, 12);
});
