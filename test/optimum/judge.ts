/** What the scheduler makes of a small graph beside the best of all schedules in the space. */
import { timeProgram } from "../../src/emulate/timing.ts";
import { type ScheduleOptions, schedule } from "../../src/schedule/schedule.ts";
import { type Optimum, optimumOf, TooLarge } from "./exhaustive.ts";
import { type Small, smallOf } from "./small.ts";

export interface Judged {
  readonly small: Small;
  /** Of the schedule. */
  readonly cycles: number;
  readonly optimum: Optimum;
  /** `cycles` / `optimum.cycles`, at least 1. */
  readonly ratio: number;
  /** Graphs of this seed that were too large to be tried in every way, and passed over. */
  readonly passed: number;
}

/** Draws of one seed. */
const MOST_DRAWS = 32;

/** The first graph of a seed that is small enough. */
export function judge(seed: number, options: ScheduleOptions = {}): Judged {
  for (let draw = 0; draw < MOST_DRAWS; draw++) {
    const small = smallOf(seed, draw);
    const { graph, layers, target } = small;
    const { cycles } = timeProgram(schedule(graph, target, options).program, target);
    try {
      const optimum = optimumOf(graph, layers, target, cycles);
      return { small, cycles, optimum, ratio: cycles / optimum.cycles, passed: draw };
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
    }
  }
  throw new TooLarge(`no graph of seed ${seed} is small enough`);
}
