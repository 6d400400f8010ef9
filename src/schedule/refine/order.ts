/** The order of a small program's tiles, changed one tile at a time as long as the whole gets faster. */
import { forwards } from "../list.ts";
import { bestSequence, type Sequence } from "../order.ts";
import type { Planned } from "../plan.ts";
import type { Step, Tasks } from "../tasks.ts";
import type { Candidate, Search } from "./search.ts";

/** Of this many tiles and more no orders are searched. */
const MOST_TILES = 48;

/** By step task, the steps that must come before it: through the loads and stores beside them. */
function stepsBefore({ count, before, steps }: Tasks): ReadonlySet<number>[] {
  const found: Set<number>[] = [];
  for (let task = 0; task < count; task++) {
    const own = new Set<number>();
    for (const other of before[task]) {
      if (steps[other]) own.add(other);
      else for (const further of found[other]) own.add(further);
    }
    found.push(own);
  }
  return found;
}

/** The steps in an order, with the times that loads as early as possible would give them. */
function sequenceOf(tasks: Tasks, order: readonly number[], capacity: number): Sequence {
  const position = new Float64Array(tasks.count).fill(tasks.count);
  for (const [at, task] of order.entries()) position[task] = at;
  for (let task = tasks.count - 1; task >= 0; task--) {
    if (tasks.steps[task]) continue;
    for (const other of tasks.after[task]) position[task] = Math.min(position[task], position[other]);
  }
  const { start, end } = forwards(tasks, position, capacity);
  return {
    steps: order.map((task) => tasks.steps[task] as Step),
    start: Float64Array.from(order, (task) => start[task]),
    end: Float64Array.from(order, (task) => start[task] + tasks.cycles[task]),
    cycles: end,
  };
}

/** Job after job, and two ways through the jobs side by side: by the share of each that is done, and the last ones first. */
function someOrders({ jobs }: Planned, { steps }: Tasks, before: readonly ReadonlySet<number>[]): number[][] {
  const ids = steps.flatMap((step, task) => (step ? [task] : []));
  const ranked = (rankOf: (step: Step) => number): number[] => {
    const rank = new Map(ids.map((task) => [task, rankOf(steps[task] as Step)]));
    const left = new Set(ids);
    const order: number[] = [];
    while (left.size > 0) {
      let best: number | undefined;
      for (const task of left) {
        if (best !== undefined && (rank.get(task) as number) >= (rank.get(best) as number)) continue;
        if (![...before[task]].some((other) => left.has(other))) best = task;
      }
      left.delete(best as number);
      order.push(best as number);
    }
    return order;
  };
  const countOf = (at: number) => {
    const one = jobs[at];
    return "tiles" in one ? one.tiles.length : 1;
  };
  return [
    ids,
    ranked(({ job, tile }) => (tile + 1) / countOf(job) + job / 1e6),
    ranked(({ job, tile }) => tile / 1e6 - job),
  ];
}

/** Job after job. */
export function jobAfterJob(tasks: Tasks, capacity: number): Sequence {
  const order = tasks.steps.flatMap((step, task) => (step ? [task] : []));
  return sequenceOf(tasks, order, capacity);
}

/** A plan with a better order of its tiles than the rules find; as it is where none is found. */
export function betterOrder(given: Candidate, search: Search): Candidate {
  const capacity = search.target.sram.bytes;
  const tasks = search.tasksOf(given.planned);
  const taskOf = new Map<string, number>();
  tasks.steps.forEach((step, task) => {
    if (step) taskOf.set(`${step.job} ${step.tile}`, task);
  });
  if (taskOf.size > MOST_TILES) return given;
  const first = given.planned.sequence ?? bestSequence(tasks, capacity);
  const before = stepsBefore(tasks);
  const known = new Set<string>();
  let order = first.steps.map(({ job, tile }) => taskOf.get(`${job} ${tile}`) as number);
  let best = given;
  const attempt = (other: readonly number[]): boolean => {
    const key = other.join(" ");
    if (known.has(key) || search.left <= 0) return false;
    known.add(key);
    const sequence = sequenceOf(tasks, other, capacity);
    const cycles = search.timeAs(given.planned, sequence);
    if (cycles >= best.cycles) return false;
    const planned: Planned = { ...given.planned, sequence };
    best = { ...given, planned, cycles };
    order = [...other];
    return true;
  };
  for (const other of someOrders(given.planned, tasks, before)) attempt(other);
  for (let improved = true; improved && search.left > 0; ) {
    improved = false;
    for (let at = 1; at < order.length; at++) {
      const task = order[at];
      for (let to = at - 1; to >= 0 && !before[task].has(order[to]); to--) {
        // Neighbours of different units change places without consequence; only the order of one unit's steps counts.
        if (tasks.unit[order[to]] !== tasks.unit[task] && to > 0 && !before[task].has(order[to - 1])) continue;
        if (!attempt(order.toSpliced(at, 1).toSpliced(to, 0, task))) continue;
        improved = true;
        break;
      }
    }
  }
  return best;
}
