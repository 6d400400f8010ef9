import type { SetUp } from "../../src/run/pool.ts";

/** Test work that counts how often it is set up. */
export const setUp: SetUp<Int32Array, number, number> = (counter) => {
  Atomics.add(counter, 0, 1);
  return (item) => item;
};
