/** One memory instance, solved at a capacity. */
import { allocate } from "../../src/schedule/allocate.ts";
import { readInstance } from "./instance.ts";
import type { BenchOptions } from "./options.ts";

const CAPACITY = 1_048_576;
/** Of the search; on one core of 2024 about ten seconds. */
const STEPS = 1_000_000_000;

export interface Solved {
  readonly instance: string;
  readonly capacity: number;
  readonly peakBytes: number;
  readonly lowerBoundBytes: number;
  readonly ms: number;
}

export function solveFile(path: string, { capacity = CAPACITY }: BenchOptions): Solved {
  const { name, lifetimes } = readInstance(path);
  const begin = performance.now();
  const { peakBytes, lowerBoundBytes } = allocate(lifetimes, 1, { capacity, steps: STEPS });
  const ms = Math.round((performance.now() - begin) * 10) / 10;
  return { instance: name, capacity, peakBytes, lowerBoundBytes, ms };
}
