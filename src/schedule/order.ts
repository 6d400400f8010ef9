/** In which order tasks begin: list scheduling, forwards and backwards in turn, until nothing is gained. */
import type { Step, Tasks } from "./tasks.ts";

/** All steps in the order of a program, with the cycles at which each should begin and end. */
export interface Sequence {
  readonly steps: readonly Step[];
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly cycles: number;
}

/** When each task begins if its unit is given to the ready task of the least priority number; all that is known then. */
interface Times {
  readonly start: Float64Array;
  readonly end: number;
}

/** Numbers by key, the least first; of equal keys the smaller number. */
class Queue {
  private readonly keys: ArrayLike<number>;
  private readonly heap: number[] = [];

  constructor(keys: ArrayLike<number>) {
    this.keys = keys;
  }

  get length(): number {
    return this.heap.length;
  }

  get first(): number {
    return this.heap[0];
  }

  private less(a: number, b: number): boolean {
    return this.keys[a] < this.keys[b] || (this.keys[a] === this.keys[b] && a < b);
  }

  push(value: number): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(value);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.less(value, heap[up])) break;
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = value;
  }

  pop(): number {
    const { heap } = this;
    const top = heap[0];
    const value = heap.pop() as number;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && this.less(heap[down + 1], heap[down])) down++;
      if (!this.less(heap[down], value)) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = value;
    return top;
  }
}

/**
 * No unit rests while a task for it is ready. `backwards`: from the end of the program, tasks as late as they may be; times
 * then count from the end.
 */
function simulate(tasks: Tasks, priority: ArrayLike<number>, backwards: boolean): Times {
  const { count, unit, cycles, latency } = tasks;
  const before = backwards ? tasks.after : tasks.before;
  const after = backwards ? tasks.before : tasks.after;
  const start = new Float64Array(count);
  const ready = backwards ? latency.slice() : new Float64Array(count);
  const missing = Int32Array.from(before, (list) => list.length);
  const units = tasks.unit.reduce((most, one) => Math.max(most, one + 1), 0);
  const free = new Float64Array(units);
  const waiting = Array.from({ length: units }, () => new Queue(priority));
  // Tasks that will be ready, by time.
  const coming = new Queue(ready);
  for (let task = 0; task < count; task++) if (missing[task] === 0) coming.push(task);
  let end = 0;
  let now = 0;
  for (let done = 0; done < count; ) {
    while (coming.length > 0 && ready[coming.first] <= now) {
      const task = coming.pop();
      waiting[unit[task]].push(task);
    }
    let next = coming.length > 0 ? ready[coming.first] : Number.POSITIVE_INFINITY;
    for (let one = 0; one < units; one++) {
      while (waiting[one].length > 0 && free[one] <= now) {
        const task = waiting[one].pop();
        const released = now + cycles[task];
        start[task] = now;
        free[one] = released;
        end = Math.max(end, released + latency[task]);
        done++;
        for (const other of after[task]) {
          ready[other] = Math.max(ready[other], released + latency[backwards ? other : task]);
          if (--missing[other] === 0) {
            coming.push(other);
            next = Math.min(next, ready[other]);
          }
        }
      }
      if (waiting[one].length > 0) next = Math.min(next, free[one]);
    }
    now = next;
  }
  return { start, end };
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

/** Rounds of backwards and forwards. */
const ROUNDS = 6;

/**
 * The best of several list schedules. The first ones give way to the program order, and to the task with the longest way to
 * the end; each then is pushed against the end of the program and back: tasks that must not be late come first.
 */
function bestTimes(tasks: Tasks): Times {
  const order = Float64Array.from({ length: tasks.count }, (_, task) => task);
  const urgent = tails(tasks).map((length) => -length);
  let best: Times | undefined;
  for (const first of [order, urgent]) {
    let forward = simulate(tasks, first, false);
    if (!best || forward.end < best.end) best = forward;
    for (let round = 0; round < ROUNDS; round++) {
      const late = forward.start.map((start, task) => -(start + tasks.cycles[task]));
      const backward = simulate(tasks, late, true);
      const deadline = backward.start.map((start, task) => -(start + tasks.cycles[task]));
      forward = simulate(tasks, deadline, false);
      if (forward.end < best.end) best = forward;
    }
  }
  return best as Times;
}

function sequenceOf(tasks: Tasks, { start, end }: Times): Sequence {
  const order = tasks.steps.flatMap((step, task) => (step === undefined ? [] : [task]));
  order.sort((a, b) => start[a] - start[b] || a - b);
  return {
    steps: order.map((task) => tasks.steps[task] as Step),
    start: Float64Array.from(order, (task) => start[task]),
    end: Float64Array.from(order, (task) => start[task] + tasks.cycles[task]),
    cycles: end,
  };
}

/** The best order known of all steps. */
export function bestSequence(tasks: Tasks): Sequence {
  return sequenceOf(tasks, bestTimes(tasks));
}

/** Job after job: what needs the least memory. */
export function plainSteps(tasks: Tasks): Step[] {
  return tasks.steps.filter((step) => step !== undefined);
}
