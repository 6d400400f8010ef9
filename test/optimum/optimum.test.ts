import { expect, test } from "vitest";
import { judge } from "./judge.ts";

// Some of the graphs that `npm run acceptance -- optimum` judges.
test.each([10004, 10007, 10009, 10014, 10017, 10018, 10019, 10021])(
  "graph %i is within 2 percent of the best plan of all",
  (seed) => {
    const { ratio, optimum } = judge(seed);
    expect(optimum.plans).toBeGreaterThan(100);
    expect(ratio).toBeLessThanOrEqual(1.02);
  },
);

// Seeds at which the rules alone choose other tiles, other orders, or other tensors in SRAM, where those are slower.
test.each([20, 53, 56])("a worse choice for graph %i is found out", (seed) => {
  const { ratio } = judge(seed, { refined: false });
  expect(ratio).toBeGreaterThan(1.02);
});
