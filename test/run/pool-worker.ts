import { setTimeout as wait } from "node:timers/promises";
import { CompileError } from "../../src/error.ts";
import type { SetUp } from "../../src/run/pool.ts";

/** Test work: later items finish earlier; −1 is the user's error, −2 a bug. */
export const setUp: SetUp<number, number, number> = (factor) => async (item) => {
  if (item === -1) throw new CompileError("usage/negative", "the item is negative", { where: "item", remedy: "none" });
  if (item === -2) throw new Error("bug: on purpose");
  await wait((7 * item) % 5);
  return item * factor;
};
