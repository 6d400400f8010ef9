import { expect, test } from "vitest";
import { judge } from "./judge.ts";

// Some of the 200 graphs that `npm run acceptance -- optimum` judges.
test.each([2, 3, 5, 7, 50, 53, 54, 56, 101, 104, 150, 154])(
  "graph %i is within 2 percent of the best plan of all",
  (seed) => {
    const { ratio, optimum } = judge(seed);
    expect(optimum.plans).toBeGreaterThan(100);
    expect(ratio).toBeLessThanOrEqual(1.02);
  },
);

// Seeds at which the rules alone choose other tiles, other tensors in SRAM, or no strips where those are faster.
test.each([5, 53, 100, 104])("a worse choice for graph %i is found out", (seed) => {
  const { ratio } = judge(seed, { refined: false });
  expect(ratio).toBeGreaterThan(1.02);
});
