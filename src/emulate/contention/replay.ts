/** One run of a program of fixed order among others. */
import type { FixedOrder } from "./fixed-order.ts";
import type { Interference } from "./interference.ts";
import { createWorld, type Scenario } from "./world.ts";

/** Runs scenario after scenario; each returns the cycle in which the last command ends. */
export function createReplay(fixed: FixedOrder, interference: Interference): (scenario: Scenario) => number {
  const { count, order, before, waitsFrom, waits, cycles, dramCycles, demand, latency, free } = fixed;
  const released = new Float64Array(count);
  const ends = new Float64Array(count);
  return (scenario) => {
    const world = createWorld(interference, scenario);
    let [dramFree, place, last] = [0, 0, 0];
    for (const id of order) {
      let start = before[id] < 0 ? 0 : released[before[id]];
      for (let at = waitsFrom[id]; at < waitsFrom[id + 1]; at++) if (ends[waits[at]] > start) start = ends[waits[at]];
      if (demand[id] > 0) {
        start = Math.max(start, dramFree);
        dramFree = world.serve(start, demand[id], place++);
        released[id] = dramFree;
        // A transfer that its engine slows down holds the engine longer than the DRAM.
        if (cycles[id] > dramCycles[id]) released[id] = Math.max(dramFree, world.work(start, cycles[id]));
      } else {
        released[id] = free[id] === 1 ? start + cycles[id] : world.work(start, cycles[id]);
      }
      ends[id] = released[id] + latency[id];
      if (ends[id] > last) last = ends[id];
    }
    return last;
  };
}
