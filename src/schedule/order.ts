/** In which order tiles begin: list schedules, forwards and backwards in turn, and the best of them. */
import { backwards, forwards, type Times } from "./list.ts";
import type { Step, Tasks } from "./tasks.ts";

/** All steps in the order of a program, with the cycles at which each should begin and end. */
export interface Sequence {
  readonly steps: readonly Step[];
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly cycles: number;
}

/** The longest way from a task to the end. */
function tails({ count, cycles, latency, after }: Tasks): Float64Array {
  const tail = new Float64Array(count);
  for (let task = count - 1; task >= 0; task--) {
    let most = 0;
    for (const other of after[task]) most = Math.max(most, tail[other]);
    tail[task] = cycles[task] + latency[task] + most;
  }
  return tail;
}

/** Each task as the first one that needs it comes to it, results in program order: depth first, strip after strip. */
function demand({ count, before, after }: Tasks): Float64Array {
  const place = new Float64Array(count).fill(-1);
  const next = new Int32Array(count);
  let placed = 0;
  for (let sink = 0; sink < count; sink++) {
    if (after[sink].length > 0) continue;
    const path = [sink];
    while (path.length > 0) {
      const task = path[path.length - 1];
      const needs = before[task];
      while (next[task] < needs.length && place[needs[next[task]]] >= 0) next[task]++;
      if (next[task] < needs.length) path.push(needs[next[task]]);
      else {
        place[task] = placed++;
        path.pop();
      }
    }
  }
  return place;
}

/** Rounds of backwards and forwards. */
const ROUNDS = 6;

/**
 * The first ones give way to the program order, to the task with the longest way to the end, and to what the next result
 * needs; each is then pushed against the end of the program, and back with those first that must not be late.
 */
function bestTimes(tasks: Tasks, capacity: number, rounds: number): Times {
  const order = Float64Array.from({ length: tasks.count }, (_, task) => task);
  const urgent = tails(tasks).map((length) => -length);
  let best: Times | undefined;
  for (const first of [order, urgent, demand(tasks)]) {
    let times = forwards(tasks, first, capacity);
    if (!best || times.end < best.end) best = times;
    for (let round = 0; round < rounds; round++) {
      const last = times.start.map((start, task) => -(start + tasks.cycles[task]));
      times = forwards(tasks, backwards(tasks, last).start, capacity);
      if (times.end < best.end) best = times;
    }
  }
  return best as Times;
}

/** The best order known of all steps, if tensors may take `capacity` bytes of SRAM; fewer rounds are quicker. */
export function bestSequence(tasks: Tasks, capacity: number, rounds = ROUNDS): Sequence {
  const { start, end } = bestTimes(tasks, capacity, rounds);
  const order = tasks.steps.flatMap((step, task) => (step === undefined ? [] : [task]));
  order.sort((a, b) => start[a] - start[b] || a - b);
  return {
    steps: order.map((task) => tasks.steps[task] as Step),
    start: Float64Array.from(order, (task) => start[task]),
    end: Float64Array.from(order, (task) => start[task] + tasks.cycles[task]),
    cycles: end,
  };
}

/** Job after job: what needs the least memory. */
export function plainSteps(tasks: Tasks): Step[] {
  return tasks.steps.filter((step) => step !== undefined);
}
