/** What a segment costs, from its steady state: the strips far from all borders. */
import { engineCycles } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { alignUp } from "../allocate.ts";
import { sizedCommand } from "../grid.ts";
import { elementsOf, type Root, wholeBox } from "../view.ts";
import type { Rows, Work } from "./rows.ts";
import { type InSram, isInside, type Part, progressAt, roughly, type Segment, type Strip, stripOf } from "./segment.ts";

export interface Estimate {
  readonly strips: number;
  readonly arrayCycles: number;
  readonly vectorCycles: number;
  /** DRAM traffic, constants included. */
  readonly traffic: number;
  /** SRAM for tensors inside, constants and what is staged. */
  readonly bytes: number;
  readonly commands: number;
  /** Parts that make the rows that the next strip needs too anew, instead of keeping them. */
  readonly again: ReadonlySet<number>;
}

/** Engine cycles of so many rows of a job's output. */
export type CyclesOf = (work: Work, rows: number) => number;

export function cycleTable(target: Target): CyclesOf {
  const known = new Map<Work, Map<number, number>>();
  return (work, wanted) => {
    const rows = Math.max(1, Math.min(work.count, wanted));
    const own = known.get(work) ?? new Map<number, number>();
    known.set(work, own);
    const found = own.get(rows);
    if (found !== undefined) return found;
    const box = wholeBox(work.job.output.shape);
    const size = box.size.map((length, axis) => (axis === work.axis ? rows : length));
    const start = box.start.map((at, axis) => (axis === work.axis ? Math.floor((work.count - rows) / 2) : at));
    const cycles = engineCycles(sizedCommand(work.job, { start, size }), target) + target.issueCycles;
    own.set(rows, cycles);
    return cycles;
  };
}

/** The part of a tensor's row that one of its makers makes. */
function shareOf({ rows, place }: Part): number {
  if (!place) return 1;
  return rows.shape.reduce((product, size, axis) => {
    return axis === rows.axis ? product : (product * (place.ends[axis] - place.starts[axis])) / size;
  }, 1);
}

/** Rows that a strip must have although the strip before made them. */
function haloOf(part: Part, done: number, low: number): number {
  return Math.max(0, Math.min(part.rows.count, part.first + part.step * done - low));
}

/** Kept rows are saved and put back, unless they are most of the strip: then it lives on until they are moved. */
export function isSaved(halo: number, height: number): boolean {
  return halo * 2 <= height;
}

/** Vector cycles of keeping rows of one part from strip to strip. */
function keepCycles(part: Part, halo: number, height: number, target: Target): number {
  if (halo <= 0) return 0;
  const { steps, lanes } = target.vector;
  const moves = isSaved(halo, height) ? 2 : 1;
  return moves * ((halo * part.rows.bytes * shareOf(part) * steps.move) / lanes + target.issueCycles);
}

function lowestRead(strips: readonly Strip[], root: Root): number {
  return strips.reduce((low, { readLow }) => Math.min(low, readLow.get(root) ?? low), Number.POSITIVE_INFINITY);
}

/**
 * The last readers first: each tensor's halo is made again where that takes less time than keeping it, the rows that its
 * own inputs must have for that counted in.
 */
function chooseAgain(
  segment: Segment,
  states: readonly (readonly number[])[],
  cyclesOf: CyclesOf,
  target: Target,
): Set<number> {
  const { parts, links, modes } = segment;
  const again = new Set<number>();
  const makers = new Map<Root, number>();
  for (const { rows } of parts) makers.set(rows.root, (makers.get(rows.root) ?? 0) + 1);
  for (let job = links.length - 1; job >= 0; job--) {
    const part = parts[job];
    const { rows, work, step } = part;
    const alone = makers.get(rows.root) === 1 && !part.sink && modes.get(rows.root) === "strips" && step === 1;
    if (!work || !alone) continue;
    const strips = [0, 1].map((at) => stripOf(segment, states[at], states[at + 1], again, roughly));
    const halo = haloOf(part, states[0][job], lowestRead(strips, rows.root));
    if (halo <= 0) continue;
    const advance = Math.max(0, states[1][job] - states[0][job]);
    const keep = keepCycles(part, halo, halo + advance, target);
    let remake = cyclesOf(work, advance + halo) - cyclesOf(work, advance);
    for (const { read, makers: from } of links[job])
      for (const maker of from)
        remake += keepCycles(parts[maker], read.slope * halo, read.slope * (halo + advance), target);
    if (remake < keep) again.add(job);
  }
  return again;
}

/** Bytes of strips at the fullest moment: kept rows always, a strip from its first to its last use. */
function peakOf(
  { parts, links }: Segment,
  halos: ReadonlyMap<Rows, number>,
  heights: ReadonlyMap<Rows, number>,
): number {
  const change = new Float64Array(links.length + 1);
  const last = new Map<Rows, number>();
  const first = new Map<Rows, number>();
  const touch = (rows: Rows, job: number) => {
    if (!heights.has(rows)) return;
    if (!first.has(rows)) first.set(rows, job);
    last.set(rows, job);
  };
  links.forEach((reads, job) => {
    for (const { read } of reads) touch(read.rows, job);
    touch(parts[job].rows, job);
  });
  let kept = 0;
  for (const [rows, height] of heights) {
    kept += alignUp((halos.get(rows) ?? 0) * rows.bytes, 64);
    change[first.get(rows) ?? 0] += alignUp(height * rows.bytes, 64);
    change[(last.get(rows) ?? 0) + 1] -= alignUp(height * rows.bytes, 64);
  }
  let [live, peak] = [0, 0];
  for (const bytes of change) {
    live += bytes;
    peak = Math.max(peak, live);
  }
  return kept + peak;
}

/** The segment in so many strips; `inSram` as it was made. */
export function estimate(
  segment: Segment,
  strips: number,
  inSram: InSram,
  cyclesOf: CyclesOf,
  target: Target,
): Estimate {
  const { parts, links, modes, from, to } = segment;
  const states = [-1, 0, 1].map((at) => progressAt(segment, 1 + at / strips, roughly));
  const again = chooseAgain(segment, states, cyclesOf, target);
  const steady = [0, 1].map((at) => stripOf(segment, states[at], states[at + 1], again, roughly));
  const halos = new Map<Rows, number>();
  const heights = new Map<Rows, number>();
  let [arrayCycles, vectorCycles, constants, traffic, staged, commands] = [0, 0, 0, 0, 0, 0];
  parts.forEach((part, index) => {
    const { rows, first, step, work } = part;
    const { from: low, to: high } = steady[0].spans[index];
    const advance = Math.max(0, states[1][index] - states[0][index]);
    const bytes = rows.root.bytes * shareOf(part);
    if (work) {
      const times = work.count / Math.max(1, advance);
      const cycles = cyclesOf(work, Math.max(1, high - low)) * times;
      if (work.job.engine === "array") arrayCycles += cycles;
      else if (work.job.engine === "vector") vectorCycles += cycles;
      commands += times;
      constants += alignUp(work.constantBytes, 64);
    } else {
      traffic += bytes;
      commands += strips;
      // The next strip's rows come in while this one is in use.
      staged += advance * rows.bytes * shareOf(part);
    }
    if (part.sink && !inSram(rows.root)) {
      traffic += bytes;
      staged += (modes.get(rows.root) === "strips" ? 0 : 2) * Math.min(1, advance / part.count) * bytes;
    }
    if (modes.get(rows.root) !== "strips") return;
    const needed = Math.min(lowestRead(steady, rows.root), first + step * low);
    const halo = again.has(index) ? 0 : haloOf(part, states[0][index], needed);
    const height = Math.min(rows.count, first + step * high - needed);
    halos.set(rows, Math.max(halos.get(rows) ?? 0, halo));
    heights.set(rows, Math.max(heights.get(rows) ?? 0, height));
    vectorCycles += strips * keepCycles(part, halo, height, target);
    if (halo > 0) commands += strips * 2;
  });
  for (const [root, mode] of modes) {
    if (mode === "strips") continue;
    const rows = parts.find((part) => part.rows.root === root)?.rows;
    if (rows && isInside(rows, from, to)) staged += alignUp(root.bytes, 64);
  }
  for (const reads of links) {
    for (const { read } of reads) {
      const { root } = read.rows;
      if (modes.get(root) === "strips" || inSram(root) || isInside(read.rows, from, to)) continue;
      traffic += (elementsOf(read.view.shape) * root.bytes) / elementsOf(root.shape);
    }
  }
  const bytes = constants + staged + peakOf(segment, halos, heights);
  return { strips, arrayCycles, vectorCycles, traffic: traffic + constants, bytes, commands, again };
}
