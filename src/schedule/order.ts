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
function tails({ count, cycles, latency, after, follows }: Tasks): Float64Array {
  const tail = new Float64Array(count);
  for (let task = count - 1; task >= 0; task--) {
    let most = latency[task];
    for (const other of after[task]) {
      most = Math.max(most, tail[other] + (follows?.[other] === task ? 0 : latency[task]));
    }
    tail[task] = cycles[task] + most;
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

function isSame(a: Float64Array, b: Float64Array): boolean {
  return a.every((value, at) => value === b[at]);
}

/** Rounds of backwards and forwards. */
const ROUNDS = 6;

/**
 * The first ones give way to the program order, to the task with the longest way to the end, and to what the next result
 * needs; each is then pushed against the end of the program, and back with those first that must not be late.
 */
function bestTimes(tasks: Tasks, capacity: number, rounds: number, tail = tails(tasks)): Times {
  const order = Float64Array.from({ length: tasks.count }, (_, task) => task);
  const bound = leastEnd(tasks, tail);
  let best = forwards(tasks, order, capacity);
  for (const priority of [() => order, () => tail.map((length) => -length), () => demand(tasks)]) {
    if (best.end <= bound) break;
    const first = priority();
    let times = first === order ? best : forwards(tasks, first, capacity);
    if (times.end < best.end) best = times;
    for (let round = 0; round < rounds && best.end > bound; round++) {
      const last = times.start.map((start, task) => -(start + tasks.cycles[task]));
      const next = forwards(tasks, backwards(tasks, last).start, capacity);
      if (next.end < best.end) best = next;
      // From here on it would only go round again.
      if (isSame(next.start, times.start)) break;
      times = next;
    }
  }
  return best;
}

/** No order ends sooner: the longest way through the tasks, and the work of a unit between the shortest ways to it and from it. */
function leastEnd({ count, unit, cycles, latency, before, follows }: Tasks, tail: Float64Array): number {
  const head = new Float64Array(count);
  const work: { head: number; cycles: number; tail: number }[] = [];
  let least = 0;
  for (let task = 0; task < count; task++) {
    for (const other of before[task]) {
      const waits = follows?.[task] === other ? 0 : latency[other];
      head[task] = Math.max(head[task], head[other] + cycles[other] + waits);
    }
    least = Math.max(least, head[task] + tail[task]);
    const after = tail[task] - cycles[task];
    work[unit[task]] ??= { head: Number.POSITIVE_INFINITY, cycles: 0, tail: Number.POSITIVE_INFINITY };
    const own = work[unit[task]];
    own.cycles += cycles[task];
    own.head = Math.min(own.head, head[task]);
    own.tail = Math.min(own.tail, after);
  }
  for (const own of work) if (own) least = Math.max(least, own.head + own.cycles + own.tail);
  return least;
}

/** About how long the tasks take in the best order, and whether it is that long; else a number that is not below `limit`, nor above that. */
export function estimatedEnd(tasks: Tasks, capacity: number, limit: number): { cycles: number; isExact: boolean } {
  const tail = tails(tasks);
  const least = leastEnd(tasks, tail);
  if (least >= limit) return { cycles: least, isExact: false };
  return { cycles: bestTimes(tasks, capacity, 1, tail).end, isExact: true };
}

/** The best order known of all steps, if tensors may take `capacity` bytes of SRAM. */
export function bestSequence(tasks: Tasks, capacity: number): Sequence {
  const { start, end } = bestTimes(tasks, capacity, ROUNDS);
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
