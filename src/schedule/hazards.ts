/**
 * Which commands a command must wait for: it may not read what is still to be written, nor write what is still to be
 * read. An engine keeps its own order, so only the last conflicting command of every other engine counts. Engines of all
 * NPUs are numbered: their lanes.
 */
import type { Engine } from "./program.ts";
import { type Box, boxesOverlap } from "./view.ts";

const ENGINES: readonly Engine[] = ["array", "vector", "dma-in", "dma-out", "cpu"];
const engineIndex = new Map(ENGINES.map((engine, index) => [engine, index]));

export function lanesOf(npus: number): number {
  return npus * ENGINES.length;
}

/** The host is one for all NPUs. */
export function laneOf(npu: number, engine: Engine): number {
  return (engine === "cpu" ? 0 : npu * ENGINES.length) + (engineIndex.get(engine) as number);
}

/** The last command of each lane, −1 for none. */
export type Last = Int32Array;

export function nobody(lanes: number): Last {
  return new Int32Array(lanes).fill(-1);
}

/** Part of a buffer: a byte range, and where the axes are known, the box that tells parts apart that interleave. */
export interface Region {
  readonly low: number;
  readonly high: number;
  readonly box?: Box;
}

interface Access extends Region {
  readonly command: number;
  readonly lane: number;
  readonly write: boolean;
}

/** Memory with a life of its own, and who touched it. */
export class TrackedBuffer {
  readonly accesses: Access[] = [];
  /** Who used these bytes before they were this buffer. */
  readonly before: Last;

  constructor(before: Last) {
    this.before = before;
  }

  /** Adds to `waits` whom an access must wait for. */
  collect(region: Region, write: boolean, waits: Last): void {
    if (write) raise(waits, this.before);
    for (const access of this.accesses) {
      if (!write && !access.write) continue;
      if (access.command <= waits[access.lane]) continue;
      if (region.low >= access.high || access.low >= region.high) continue;
      if (region.box && access.box && !boxesOverlap(region.box, access.box)) continue;
      waits[access.lane] = access.command;
    }
  }

  record(command: number, lane: number, region: Region, write: boolean): void {
    this.accesses.push({ command, lane, write, ...region });
  }

  /** The last command of each lane that touched it or what was here before. */
  last(): Last {
    const last = this.before.slice();
    for (const { command, lane } of this.accesses) last[lane] = Math.max(last[lane], command);
    return last;
  }

  /** First and last command that touched it; undefined where none did. */
  span(): { first: number; last: number } | undefined {
    if (this.accesses.length === 0) return undefined;
    let [first, last] = [Number.POSITIVE_INFINITY, 0];
    for (const { command } of this.accesses) {
      first = Math.min(first, command);
      last = Math.max(last, command);
    }
    return { first, last };
  }
}

function raise(waits: Last, other: Last): void {
  for (let lane = 0; lane < waits.length; lane++) waits[lane] = Math.max(waits[lane], other[lane]);
}

/** The commands to wait for, ascending, without those of the lane itself. */
export function waitsOf(last: Last, own: number): number[] {
  return [...last].filter((command, lane) => command >= 0 && lane !== own).sort((a, b) => a - b);
}

/** Who used which bytes of a memory, after the buffers that lay there are gone. */
export class Arena {
  private readonly lanes: number;
  private segments: { start: number; end: number; last: Last }[] = [];

  constructor(lanes: number) {
    this.lanes = lanes;
  }

  /** Who used [start, end) so far. */
  past(start: number, end: number): Last {
    const before = nobody(this.lanes);
    for (const segment of this.segments) {
      if (start < segment.end && segment.start < end) raise(before, segment.last);
    }
    return before;
  }

  /** A buffer begins to live at [start, end): what was there is its past. */
  claim(start: number, end: number): Last {
    const before = nobody(this.lanes);
    const kept: typeof this.segments = [];
    for (const segment of this.segments) {
      if (segment.end <= start || end <= segment.start) {
        kept.push(segment);
        continue;
      }
      raise(before, segment.last);
      if (segment.start < start) kept.push({ ...segment, end: start });
      if (end < segment.end) kept.push({ ...segment, start: end });
    }
    this.segments = kept;
    return before;
  }

  /** A buffer's life ends. */
  release(start: number, end: number, last: Last): void {
    this.segments.push({ start, end, last });
  }
}
