/** One run of a program of fixed order among others. */
import type { CommandTime, Reason, Simulation } from "../simulate.ts";
import type { FixedOrder } from "./fixed-order.ts";
import type { Interference } from "./interference.ts";
import { createWorld, type Lost, type Scenario, type World } from "./world.ts";

/** Where a run writes its times: start, end on the engine, end, and of a transfer the DRAM's end. */
interface Times {
  readonly starts: Float64Array;
  readonly released: Float64Array;
  readonly ends: Float64Array;
  readonly served: Float64Array;
}

function timesFor(count: number): Times {
  const fresh = () => new Float64Array(count);
  return { starts: fresh(), released: fresh(), ends: fresh(), served: fresh() };
}

/** Returns the cycle in which the last command ends. `visit` is told after every command. */
function play(fixed: FixedOrder, world: World, times: Times, visit?: (id: number) => void): number {
  const { order, before, waitsFrom, waits, cycles, dramCycles, demand, latency, free } = fixed;
  const { starts, released, ends, served } = times;
  let [dramFree, place, last] = [0, 0, 0];
  for (const id of order) {
    let start = before[id] < 0 ? 0 : released[before[id]];
    for (let at = waitsFrom[id]; at < waitsFrom[id + 1]; at++) if (ends[waits[at]] > start) start = ends[waits[at]];
    if (demand[id] > 0) {
      start = Math.max(start, dramFree);
      dramFree = world.serve(start, demand[id], place++);
      served[id] = dramFree;
      released[id] = dramFree;
      // A transfer that its engine slows down holds the engine longer than the DRAM.
      if (cycles[id] > dramCycles[id]) released[id] = Math.max(dramFree, world.work(start, cycles[id]));
    } else {
      released[id] = free[id] === 1 ? start + cycles[id] : world.work(start, cycles[id]);
    }
    starts[id] = start;
    ends[id] = released[id] + latency[id];
    if (ends[id] > last) last = ends[id];
    visit?.(id);
  }
  return last;
}

/** Runs scenario after scenario; each returns the cycle in which the last command ends. */
export function createReplay(fixed: FixedOrder, interference: Interference): (scenario: Scenario) => number {
  const times = timesFor(fixed.count);
  return (scenario) => play(fixed, createWorld(interference, scenario), times);
}

/** When the DRAM was done with a transfer, and what it lost to whom meanwhile; of other commands, what slots took. */
export interface Delay extends Readonly<Lost> {
  readonly served: number;
}

export interface Replay extends Simulation {
  readonly delays: readonly Delay[];
}

/** One scenario with all that can be said of it: times of every command, what it waited for, what held it up. */
export function replayInFull(fixed: FixedOrder, interference: Interference, scenario: Scenario): Replay {
  const { count, before, waitsFrom, waits, cycles, demand } = fixed;
  const world = createWorld(interference, scenario);
  const times = timesFor(count);
  const { starts, released, ends, served } = times;
  const found = new Array<CommandTime>(count);
  const delays = new Array<Delay>(count);
  let [lost, transfer]: [Lost, number] = [{ ...world.lost }, -1];
  const end = play(fixed, world, times, (id) => {
    let [reason, waitedFor, latest]: [Reason, number, number] = ["start", -1, 0];
    const consider = (why: Reason, whom: number, time: number) => {
      if (time > latest) [reason, waitedFor, latest] = [why, whom, time];
    };
    if (before[id] >= 0) consider("engine", before[id], released[before[id]]);
    for (let at = waitsFrom[id]; at < waitsFrom[id + 1]; at++) consider("wait", waits[at], ends[waits[at]]);
    if (demand[id] > 0 && transfer >= 0) consider("dram", transfer, served[transfer]);
    if (demand[id] > 0) transfer = id;
    const cause = waitedFor < 0 ? {} : { waitedFor };
    found[id] = { start: starts[id], released: released[id], end: ends[id], reason, ...cause };
    const halted = demand[id] > 0 ? world.lost.slots - lost.slots : Math.max(0, released[id] - starts[id] - cycles[id]);
    const { refresh, others } = world.lost;
    delays[id] = { served: served[id], refresh: refresh - lost.refresh, others: others - lost.others, slots: halted };
    lost = { ...world.lost };
  });
  return { times: found, order: fixed.order, cycles: end, delays };
}
