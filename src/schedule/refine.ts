/** Small programs, in which every tile counts: what stays in SRAM, grids and the order of tiles are changed as long as the whole gets faster. */
import type { Target } from "../target/schema.ts";
import { frameOf, type Planned, type Prepared } from "./plan.ts";
import { framesOf, isCrowded, type Known, movableOf, type Space, spaceOf } from "./refine/alternatives.ts";
import { betterOrder, jobAfterJob } from "./refine/order.ts";
import { type Candidate, Search } from "./refine/search.ts";
import { chainsOf } from "./refine/strips.ts";

/** Tiles that may be scheduled in all; where memory is short, for each choice of what stays there, and for chains in strips, too. */
const [STEPS, SPACE_STEPS, CHAIN_STEPS] = [10_000, 2_000, 7_000];
/** Programs of more jobs, or tiles, are left as they are. */
const [MOST_JOBS, MOST_TILES] = [14, 20_000];
/** Choices of what stays in SRAM that are looked at. */
const MOST_SPACES = 64;
/** With chains of layers in strips there are more jobs, each of one tile. */
const MOST_STRIPS = 300;
/** Chains in strips that are timed. */
const CHAINS = 20;
/**
 * Shares of them for improving starts by estimates, for timing the best of these and their neighbours, for changing two jobs at once, for
 * the order; what one leaves the next one has too.
 */
const PHASES = [0.3, 0.4, 0.15, 0.15];
/** Choices of what stays in SRAM that are looked at closely. */
const DESCENTS = 3;
/** Of the grids of one job, those with the shortest estimates are timed, if these are not longer than so much of the best time. */
const [CLOSE, HOPE] = [4, 1.02];

type Jobs = Planned["jobs"];

function planOf({ frame: { residency, merged } }: Space, jobs: Jobs): Planned {
  return { jobs, residency, merged, apart: true };
}

/** A start of the search: the plans of a space, and the one of them to begin with. */
interface Start {
  readonly space: Space;
  readonly jobs: Jobs;
  readonly estimate: number;
}

/** Numbers of pieces that all jobs are cut into at the start of a search. */
const UNIFORM = [1, 2, 3, 4, 6, 8];
/** Of all starts, so many are improved. */
const IMPROVED = 6;
/** Of the starts of each of several spaces, and of all of them, so many are timed. */
const [OF_A_SPACE, TIMED] = [2, 24];

/** Estimates know nothing of waits for memory: what is estimated to take less than so many times the shortest time may be the fastest. */
const NEAR = 1.15;
/** Of these, so many are timed; and of the ends that improving by estimates came to. */
const MOST_BETTER = 16;
const NEAREST = 16;

/** Starts estimated to take so many times the time of the best plan are no worse for being longer still. */
const FAR = 1.3;

/** Every job cut along its first axis into about so many pieces, or whole. */
function uniform({ choices }: Space, pieces: number): Jobs {
  return choices.map((own) => {
    const distance = (one: Jobs[number]) => {
      if (!("tiles" in one)) return 0;
      const [first] = one.job.cuts.filter(({ axis, quantum }) => one.job.output.shape[axis] > quantum);
      const isOther = one.grid.length > 1 || (one.grid.length === 1 && one.grid[0].axis !== first?.axis);
      return Math.abs(one.tiles.length - pieces) + (isOther ? 0.5 : 0);
    };
    return own.reduce((best, one) => (distance(one) < distance(best) ? one : best));
  });
}

/** With all jobs cut alike, or each as is likeliest for it alone. */
function startsOf(space: Space, search: Search, limit: number): Start[] {
  const likeliest = space.choices.map(([first]) => first);
  return [likeliest, ...UNIFORM.map((pieces) => uniform(space, pieces))].map((jobs) => {
    return { space, jobs, estimate: search.estimate(planOf(space, jobs), limit) };
  });
}

/** The starts to go on with: of a single space those with the shortest estimates, of several, where memory tells them apart, the fastest. */
function firstOf(starts: readonly Start[], spaces: readonly Space[], descent: Descent): Start[] {
  if (spaces.length <= 2) return starts.slice(0, IMPROVED);
  const counts = new Map<Space, number>();
  const close = starts.filter(({ space }) => {
    const count = counts.get(space) ?? 0;
    counts.set(space, count + 1);
    return count < OF_A_SPACE;
  });
  const timed = close.slice(0, TIMED).map((start) => ({ start, cycles: descent.start(start).cycles }));
  timed.sort((a, b) => a.cycles - b.cycles);
  return timed.slice(0, IMPROVED).map(({ start }) => start);
}

/** Plans whose estimates are close to the best one. */
class Close {
  private readonly starts = new Map<string, Start>();
  private least = Number.POSITIVE_INFINITY;

  /** Estimates above this one are far. */
  get limit(): number {
    return this.least * NEAR;
  }

  /** Those that are near, and the best ones of every space, which may be of use where memory is short. */
  private isGood({ estimate }: Start, rank: number): boolean {
    return estimate < (rank < OF_A_SPACE ? this.least * FAR : this.limit);
  }

  add(start: Start, key: string): void {
    this.least = Math.min(this.least, start.estimate);
    if (start.estimate < this.least * FAR) this.starts.set(key, start);
  }

  /** The best ones first. */
  list(): Start[] {
    const ranks = new Map<Space, number>();
    const sorted = [...this.starts.values()].sort((a, b) => a.estimate - b.estimate);
    return sorted.filter((start) => {
      const rank = ranks.get(start.space) ?? 0;
      ranks.set(start.space, rank + 1);
      return this.isGood(start, rank);
    });
  }
}

/** Each job in turn under the grid with which the whole is estimated to be fastest. */
function improved({ space, jobs, estimate }: Start, search: Search, close: Close): Start {
  for (const [at, choices] of space.choices.entries()) {
    for (const other of choices) {
      if (search.left <= 0) break;
      const changed = jobs.with(at, other);
      const planned = planOf(space, changed);
      const own = search.estimate(planned, Math.max(estimate, close.limit));
      close.add({ space, jobs: changed, estimate: own }, search.keyOf(planned));
      if (own < estimate) [jobs, estimate] = [changed, own];
    }
  }
  return { space, jobs, estimate };
}

/** Plans with one chain of layers in strips, those with the least work for the busiest unit. */
function stripsOf(entry: Prepared, search: Search, known: Known, limit: number): Candidate[] {
  const { target } = search;
  const plain = new Set(entry.transfers.jobs);
  const found: Candidate[] = [];
  for (const own of chainsOf(entry)) {
    if (search.left <= 0) break;
    search.left -= own.transfers.jobs.length;
    const frame = frameOf(own, target, { share: 0.25, alone: false });
    const strips = new Set(own.transfers.jobs.filter((job) => !plain.has(job)));
    const space = spaceOf(own, frame, target, known, limit, strips);
    if (!space) continue;
    const first = space.choices.map(([one]) => one);
    const planned = planOf(space, first);
    // Work that only takes the DRAM or a unit less time can pay here; estimates say little where memory is short.
    const cycles = search.workOf(planned.jobs);
    if (cycles < limit && isSmall(planned, MOST_STRIPS)) found.push({ entry: own, planned, cycles });
  }
  return found.sort((a, b) => a.cycles - b.cycles).slice(0, CHAINS);
}

class Descent {
  best: Candidate;
  private readonly search: Search;

  constructor(best: Candidate, search: Search) {
    this.best = best;
    this.search = search;
  }

  private time({ entry }: Space, planned: Planned): Candidate {
    const found = { entry, ...this.search.time(planned, false) };
    if (found.cycles < this.best.cycles) this.best = found;
    return found;
  }

  get isOver(): boolean {
    return this.search.left <= 0;
  }

  /** A plan with the cycles that it cannot take less than: in the order of the rules, and job after job. */
  strips({ entry, planned, cycles: least }: Candidate): void {
    const { search } = this;
    if (least >= this.best.cycles || search.left <= 0) return;
    const timed = search.time(planned, true);
    if (timed.cycles < this.best.cycles) this.best = { entry, ...timed };
    const sequence = jobAfterJob(search.tasksOf(planned), search.target.sram.bytes);
    const cycles = search.timeAs(planned, sequence);
    if (cycles < this.best.cycles) this.best = { entry, planned: { ...planned, sequence }, cycles };
  }

  start({ space, jobs }: Start): Candidate {
    return this.time(space, planOf(space, jobs));
  }

  /** The best of a plan with another grid for one job. */
  private changed(given: Candidate, planned: Planned, space: Space, at: number): Candidate {
    const { search } = this;
    const others = space.choices[at].flatMap((other) => {
      if (other === planned.jobs[at]) return [];
      const jobs = planned.jobs.with(at, other);
      const limit = given.cycles * HOPE;
      const estimate = search.estimate(planOf(space, jobs), limit);
      return estimate < limit ? [{ jobs, estimate }] : [];
    });
    others.sort((a, b) => a.estimate - b.estimate);
    let best = given;
    for (const { jobs, estimate } of others.slice(0, CLOSE)) {
      if (estimate >= best.cycles * HOPE || search.left <= 0) break;
      const found = this.time(space, planOf(space, jobs));
      if (found.cycles < best.cycles) best = found;
    }
    return best;
  }

  /** Every job in turn under every other grid, as long as one of them is better; then jobs by twos. */
  descend(start: Candidate, space: Space, pairs: boolean): Candidate {
    const { search } = this;
    let best = start;
    for (let improved = true; improved && search.left > 0; ) {
      const before = best.cycles;
      for (const at of space.choices.keys()) best = this.changed(best, best.planned, space, at);
      improved = best.cycles < before;
      if (improved || !pairs) continue;
      const { planned } = best;
      for (const [at, choices] of space.choices.entries()) {
        for (const other of choices) {
          if (search.left <= 0) break;
          if (other === planned.jobs[at]) continue;
          const changed = { ...planned, jobs: planned.jobs.with(at, other) };
          for (let next = at + 1; next < space.choices.length; next++) best = this.changed(best, changed, space, next);
        }
      }
      improved = best.cycles < before;
    }
    return best;
  }
}

/** The starts with their times, the fastest first. */
function timedOf(starts: readonly Start[], descent: Descent): { candidate: Candidate; space: Space }[] {
  const timed = new Map<Planned["jobs"], { candidate: Candidate; space: Space }>();
  for (const start of starts) {
    if (descent.isOver) break;
    timed.set(start.jobs, { candidate: descent.start(start), space: start.space });
  }
  return [...timed.values()].sort((a, b) => a.candidate.cycles - b.candidate.cycles);
}

/** The fastest ones, of different spaces first. */
function varied<T extends { readonly candidate: Candidate; readonly space: Space }>(timed: readonly T[]): T[] {
  const sorted = timed.toSorted((a, b) => a.candidate.cycles - b.candidate.cycles);
  const leaders = sorted.filter((one) => sorted.find(({ space }) => space === one.space) === one);
  return [...new Set([...leaders.slice(0, DESCENTS - 1), ...sorted])].slice(0, DESCENTS);
}

function isSmall({ jobs }: Planned, most: number): boolean {
  const tiles = jobs.reduce((sum, one) => sum + ("tiles" in one ? one.tiles.length : 1), 0);
  return jobs.length <= most && tiles <= MOST_TILES && jobs.every(({ job }) => job.kind !== "cpu");
}

/**
 * A faster plan of an entry on one NPU than `found` where the search meets one, else `found` itself, which it is too where the program
 * is not small. `entry`: with no chain of layers in strips; `strips`: whether there may be one.
 */
export function refineEntry(
  found: Omit<Candidate, "cycles">,
  entry: Prepared,
  target: Target,
  strips: boolean,
): Omit<Candidate, "cycles"> {
  if (entry.transfers.jobs.length > MOST_JOBS || !isSmall(found.planned, MOST_STRIPS)) return found;
  const search = new Search(target);
  const descent = new Descent(
    { ...found, cycles: search.time(found.planned, found.entry.inDram !== undefined).cycles },
    search,
  );
  const entries = [entry, ...(entry.divided?.() ?? [])];
  const known: Known = new Map();
  const limit = descent.best.cycles;
  const spaces = entries.flatMap((own) => {
    const frames = framesOf(own, target).slice(0, Math.ceil(MOST_SPACES / entries.length));
    return frames.flatMap((frame) => spaceOf(own, frame, target, known, limit) ?? []);
  });
  const starts = spaces
    .flatMap((space) => startsOf(space, search, limit * FAR))
    .sort((a, b) => a.estimate - b.estimate);
  const close = new Close();
  const better: Start[] = [];
  const isShort = isCrowded(movableOf(entry), target);
  // Where memory is short the fastest start says little about the best choice of what stays there.
  for (const space of isShort ? spaces : []) {
    search.allow(SPACE_STEPS / spaces.length);
    const start = starts.find((one) => one.space === space);
    if (start && start.estimate < limit) better.push(improved(start, search, close));
  }
  search.left = 0;
  search.allow(STEPS * PHASES[0]);
  for (const start of firstOf(starts, spaces, descent)) better.push(improved(start, search, close));
  better.sort((a, b) => a.estimate - b.estimate);
  if (strips && isShort) {
    const left = search.left;
    search.allow(CHAIN_STEPS);
    for (const one of stripsOf(entry, search, known, descent.best.cycles)) descent.strips(one);
    search.left = left;
  }
  search.allow(STEPS * PHASES[1]);
  const timed = timedOf(better.slice(0, MOST_BETTER), descent);
  // The neighbours of one plan are alike: of these only the best one is improved further.
  timed.push(...timedOf(close.list().slice(0, NEAREST), descent).slice(0, 1));
  const ends = varied(timed).map(({ candidate, space }) => {
    return { candidate: descent.descend(candidate, space, false), space };
  });
  ends.sort((a, b) => a.candidate.cycles - b.candidate.cycles);
  search.allow(STEPS * PHASES[2]);
  for (const { candidate, space } of ends.slice(0, 1)) descent.descend(candidate, space, true);
  search.allow(STEPS * PHASES[3]);
  return betterOrder(descent.best, search);
}
