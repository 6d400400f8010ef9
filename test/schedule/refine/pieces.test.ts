import { expect, test } from "vitest";
import { planEntry, prepare } from "../../../src/schedule/plan.ts";
import { Pieces } from "../../../src/schedule/refine/pieces.ts";
import { type Tasks, tasksOf } from "../../../src/schedule/tasks.ts";
import { smallOf } from "../../optimum/small.ts";

/** By task, everything that comes before it, near or far. */
function ancestors({ before }: Tasks): number[][] {
  const found: Set<number>[] = [];
  for (const own of before) found.push(new Set(own.flatMap((other) => [other, ...found[other]])));
  return found.map((own) => [...own].sort((a, b) => a - b));
}

/** Graphs whose plan by rules has few tasks: of 100,000, what comes before each fills the memory. */
const FEW = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12];

test.each(FEW)("graph %i has the same tasks in pieces", (seed) => {
  const { graph, target } = smallOf(seed);
  const entry = prepare("main", graph, target, false);
  const { jobs, residency } = planEntry(entry, target, { share: 0.25, alone: false }, undefined);
  const tiled = jobs.flatMap((one) => ("tiles" in one ? [one] : []));
  const whole = tasksOf(jobs, residency, target);
  expect(whole.count).toBeLessThan(1000);
  const pieces = new Pieces(target).tasksOf(tiled, residency);
  expect(ancestors(pieces)).toEqual(ancestors(whole));
  for (const part of ["unit", "cycles", "latency", "steps", "rooms", "touches"] as const)
    expect(pieces[part]).toEqual(whole[part]);
});
