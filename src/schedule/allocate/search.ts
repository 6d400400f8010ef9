/**
 * A depth-first search for places below a capacity that finds one if there is one. Buffers are placed from the bottom up:
 * at the lowest level that any moment has reached, either one of the buffers that could lie there does, or none does.
 *
 * Why that is complete: of all solutions take one whose addresses have the smallest sum. There, every buffer lies at 0 or
 * upon another that lives at the same time, and the search can always follow it:
 * - `lowest[b]` is never above b's address in it. At the moment chosen, some candidate lies at its `lowest`, or all candidates
 *   lie upon buffers that are not placed yet, hence no lower than the lowest end that one of these can have.
 * - a candidate under which nothing else fits lies at its `lowest`: otherwise it could be moved there, and the sum were smaller.
 * - of candidates with equal sizes and lives one will do.
 */
import { type Component, type Numbers, numbers } from "./component.ts";

/** Which of the moments at the lowest level is decided first: with the least room to spare, or with the first buffer by rank. */
export type Focus = "tightest" | "ranked";

export type Outcome = "solved" | "impossible" | "stopped";

/** Above every address: a safe integer, so that typed and plain numbers stay integers. */
const NEVER = 2 ** 52;
/** What looking through a moment's buffers anew counts as. */
const SCAN = 4;

/** Entries of the stack that leave the moment `~entry` to none of its candidates. */
const isNone = (choice: number): boolean => choice < 0;

export class Search {
  readonly addresses: Numbers;
  /** How often each moment was found to be too full. */
  readonly failures: Float64Array;
  private readonly component: Component;
  private readonly capacity: number;
  /** Buffers alive at each moment, by rank, and those that live with each buffer. */
  private readonly alive: readonly Int32Array[];
  private readonly together: readonly Int32Array[];
  private readonly lowest: Numbers;
  private readonly placed: Uint8Array;
  /** Sum of the sizes not placed yet, by moment; their least `lowest`, and a buffer that has it. */
  private readonly rest: Numbers;
  private readonly floor: Numbers;
  private readonly witness: Int32Array;
  private readonly raised: Numbers;
  private readonly rank: Int32Array;
  private focus: Focus = "tightest";
  /** What to restore: buffers (or `~moment`) and their values before. */
  private readonly changed: number[] = [];
  private readonly before: number[] = [];
  /** Choices still open, the next one last, all depths in one list. */
  private readonly open: number[] = [];
  private steps = 0;

  constructor(component: Component, capacity: number, { alive, together }: Neighbours) {
    const count = component.sizes.length;
    const { moments } = component;
    const largest = capacity + component.lowerBound;
    this.component = component;
    this.capacity = capacity;
    this.alive = alive.map((buffers) => buffers.slice());
    this.together = together;
    this.addresses = numbers(count, largest);
    this.lowest = numbers(count, largest);
    this.raised = numbers(count, largest);
    this.rest = numbers(moments, largest);
    this.floor = numbers(moments, largest);
    this.placed = new Uint8Array(count);
    this.witness = new Int32Array(moments);
    this.rank = new Int32Array(count);
    this.failures = new Float64Array(moments);
  }

  /** Starts anew: candidates are tried in the given order. `steps` counts buffers and moments looked at. */
  run(order: Int32Array, focus: Focus, most: number): { outcome: Outcome; steps: number } {
    this.reset(order);
    this.focus = focus;
    const outcome = this.rest.some((sum) => sum > this.capacity) ? "impossible" : this.descend(most);
    return { outcome, steps: this.steps };
  }

  private reset(order: Int32Array): void {
    const { sizes, from, to } = this.component;
    const filled = new Int32Array(this.rest.length);
    order.forEach((buffer, place) => {
      this.rank[buffer] = place;
      for (let moment = from[buffer]; moment < to[buffer]; moment++) this.alive[moment][filled[moment]++] = buffer;
    });
    this.open.length = 0;
    this.changed.length = 0;
    this.before.length = 0;
    this.steps = 0;
    this.placed.fill(0);
    this.lowest.fill(0);
    this.floor.fill(0);
    this.witness.fill(-1);
    this.failures.fill(0);
    this.rest.fill(0);
    this.alive.forEach((buffers, moment) => {
      for (const buffer of buffers) this.rest[moment] += sizes[buffer];
    });
  }

  private descend(most: number): Outcome {
    const count = this.component.sizes.length;
    const { open } = this;
    /** By depth: where its open choices begin, what was chosen, and the length of the trail before. */
    const begins: number[] = [0];
    const chosen: number[] = [];
    const marks: number[] = [];
    let placed = 0;
    this.offer();
    for (;;) {
      if (this.steps > most) return "stopped";
      const choice = open.length > begins[begins.length - 1] ? open.pop() : undefined;
      if (choice === undefined) {
        begins.pop();
        const undone = chosen.pop();
        if (undone === undefined) return "impossible";
        this.restore(marks.pop() ?? 0);
        if (!isNone(undone)) {
          this.lift(undone);
          placed--;
        }
        continue;
      }
      const mark = this.changed.length;
      if (isNone(choice) ? this.leave(~choice) : this.place(choice)) {
        if (!isNone(choice) && ++placed === count) return "solved";
        chosen.push(choice);
        marks.push(mark);
        begins.push(open.length);
        this.offer();
      } else {
        this.restore(mark);
        if (!isNone(choice)) this.lift(choice);
      }
    }
  }

  private raise(buffer: number, to: number): void {
    this.changed.push(buffer);
    this.before.push(this.lowest[buffer]);
    this.lowest[buffer] = to;
  }

  private restore(mark: number): void {
    const { changed, before, lowest, floor } = this;
    while (changed.length > mark) {
      const what = changed.pop() ?? 0;
      const value = before.pop() ?? 0;
      if (what >= 0) lowest[what] = value;
      else floor[~what] = value;
    }
  }

  private lift(buffer: number): void {
    const { from, to, sizes } = this.component;
    this.placed[buffer] = 0;
    for (let moment = from[buffer]; moment < to[buffer]; moment++) this.rest[moment] += sizes[buffer];
  }

  /** Puts a buffer at its lowest address; false where what is left cannot fit any more. */
  private place(buffer: number): boolean {
    const { placed, lowest, rest, capacity } = this;
    const { from, to, sizes } = this.component;
    const end = lowest[buffer] + sizes[buffer];
    this.addresses[buffer] = lowest[buffer];
    placed[buffer] = 1;
    let crowded = -1;
    for (let moment = from[buffer]; moment < to[buffer]; moment++) {
      rest[moment] -= sizes[buffer];
      if (rest[moment] > 0 && end + rest[moment] > capacity) crowded = moment;
    }
    this.steps += to[buffer] - from[buffer];
    if (crowded >= 0) {
      this.failures[crowded]++;
      return false;
    }
    const others = this.together[buffer];
    this.steps += others.length;
    for (let at = 0; at < others.length; at++) {
      const other = others[at];
      if (placed[other] === 1 || lowest[other] >= end) continue;
      if (end + sizes[other] > capacity) {
        this.failures[from[other]]++;
        return false;
      }
      this.raise(other, end);
    }
    return this.settle(end, from[buffer], to[buffer]);
  }

  /** No candidate lies at the moment's floor: each lies upon something that is not placed yet. */
  private leave(moment: number): boolean {
    const { placed, lowest, raised, capacity } = this;
    const { from, to, sizes } = this.component;
    const level = this.floor[moment];
    const candidates = this.alive[moment].filter((buffer) => placed[buffer] === 0 && lowest[buffer] === level);
    for (const buffer of candidates) {
      let least = NEVER;
      const others = this.together[buffer];
      this.steps += others.length;
      for (let at = 0; at < others.length; at++) {
        const other = others[at];
        if (placed[other] === 1) continue;
        // Another candidate of this moment lies above the level, too.
        const apart = lowest[other] === level && from[other] <= moment && moment < to[other] ? 1 : 0;
        const end = lowest[other] + sizes[other] + apart;
        if (end < least) least = end;
      }
      if (least + sizes[buffer] > capacity) return false;
      raised[buffer] = least;
    }
    for (const buffer of candidates) this.raise(buffer, raised[buffer]);
    return this.settle(level, 0, 0);
  }

  /**
   * Brings every moment's floor up to date; false where floor and sizes above it exceed the capacity. From `first` to `last`
   * nothing is lower than `end`.
   */
  private settle(end: number, first: number, last: number): boolean {
    const { rest, floor, witness, placed, lowest, capacity } = this;
    this.steps += rest.length;
    for (let moment = 0; moment < rest.length; moment++) {
      if (rest[moment] === 0) continue;
      const old = floor[moment];
      const known = witness[moment];
      if (known >= 0 && placed[known] === 0 && lowest[known] === old) continue;
      const buffers = this.alive[moment];
      const enough = first <= moment && moment < last && end > old ? end : old;
      let least = NEVER;
      let holder = -1;
      for (let at = 0; at < buffers.length; at++) {
        const buffer = buffers[at];
        if (placed[buffer] === 1 || lowest[buffer] >= least) continue;
        least = lowest[buffer];
        holder = buffer;
        if (least <= enough) break;
      }
      this.steps += SCAN;
      witness[moment] = holder;
      if (least !== old) {
        this.changed.push(~moment);
        this.before.push(old);
        floor[moment] = least;
      }
      if (least + rest[moment] > capacity) {
        this.failures[moment]++;
        return false;
      }
    }
    return true;
  }

  /** The moment to decide, among those at the lowest level. */
  private chooseMoment(): number {
    const { rest, floor, placed, lowest, rank } = this;
    const ranked = this.focus === "ranked";
    let level = NEVER;
    for (let moment = 0; moment < rest.length; moment++) {
      if (rest[moment] > 0 && floor[moment] < level) level = floor[moment];
    }
    let best = -1;
    let bestKey = NEVER;
    for (let moment = 0; moment < rest.length; moment++) {
      if (rest[moment] === 0 || floor[moment] !== level) continue;
      let key = -rest[moment];
      if (ranked) {
        const buffers = this.alive[moment];
        let at = 0;
        while (placed[buffers[at]] === 1 || lowest[buffers[at]] !== level) at++;
        key = rank[buffers[at]];
        this.steps += at;
      }
      if (key < bestKey) {
        best = moment;
        bestKey = key;
      }
    }
    return best;
  }

  /** Adds what may come next: buffers of one moment, the first by rank last, and before them `~moment` for none. */
  private offer(): void {
    const { placed, lowest, capacity, open } = this;
    const { sizes } = this.component;
    const moment = this.chooseMoment();
    const level = this.floor[moment];
    const begin = open.length;
    if (level + this.rest[moment] < capacity) open.push(~moment);
    const buffers = this.alive[moment];
    this.steps += buffers.length;
    for (let at = buffers.length - 1; at >= 0; at--) {
      const buffer = buffers[at];
      if (placed[buffer] === 1 || lowest[buffer] !== level) continue;
      if (this.nothingFitsBelow(buffer, level + sizes[buffer])) {
        open.length = begin;
        open.push(buffer);
        return;
      }
      if (!this.hasTwin(buffer, begin)) open.push(buffer);
    }
  }

  /** Whether a buffer of the same size and life is on offer already. */
  private hasTwin(buffer: number, begin: number): boolean {
    const { open } = this;
    const { sizes, from, to } = this.component;
    for (let at = begin; at < open.length; at++) {
      const other = open[at];
      if (isNone(other)) continue;
      if (sizes[other] === sizes[buffer] && from[other] === from[buffer] && to[other] === to[buffer]) return true;
    }
    return false;
  }

  private nothingFitsBelow(buffer: number, end: number): boolean {
    const { placed, lowest } = this;
    const others = this.together[buffer];
    for (let at = 0; at < others.length; at++) {
      const other = others[at];
      if (placed[other] === 0 && lowest[other] < end) {
        this.steps += at;
        return false;
      }
    }
    this.steps += others.length;
    return true;
  }
}

/** Who lives when, and with whom. */
export interface Neighbours {
  readonly alive: readonly Int32Array[];
  readonly together: readonly Int32Array[];
}

export function neighboursOf({ sizes, from, to, moments }: Component): Neighbours {
  const all = [...sizes.keys()];
  const alive: number[][] = Array.from({ length: moments }, () => []);
  for (const buffer of all) {
    for (let moment = from[buffer]; moment < to[buffer]; moment++) alive[moment].push(buffer);
  }
  const together = all.map((a) => Int32Array.from(all.filter((b) => a !== b && from[a] < to[b] && from[b] < to[a])));
  return { alive: alive.map((buffers) => Int32Array.from(buffers)), together };
}
