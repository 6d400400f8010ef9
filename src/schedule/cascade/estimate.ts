/** What a segment costs, from its steady state: the strips far from all borders. */
import { engineCycles } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { alignUp } from "../allocate.ts";
import { sizedCommand } from "../grid-facts.ts";
import { elementsOf, type Root, wholeBox } from "../view.ts";
import type { Rows, Work } from "./rows.ts";
import { type InSram, isInside, type Part, progressAt, roughly, type Segment } from "./segment.ts";

/** What is spent, beside the array's work. */
export interface Expense {
  vectorCycles: number;
  /** DRAM traffic. */
  traffic: number;
  /** SRAM. */
  bytes: number;
  commands: number;
}

export interface Estimate {
  readonly strips: number;
  readonly arrayCycles: number;
  /** For tensors inside, constants and the jobs themselves. */
  readonly own: Expense;
  /** For each tensor that is there before or after, on top, where it lies in DRAM. */
  readonly edges: ReadonlyMap<Root, Expense>;
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

/** The strip in the middle: rows [from, to) of every part, and the lowest row of each tensor that it or the next one reads. */
interface Steady {
  readonly from: readonly number[];
  readonly low: ReadonlyMap<Rows, number>;
  /** Parts that make the rows that the next strip needs too anew. */
  readonly again: ReadonlySet<number>;
}

/**
 * The last readers first: each tensor's halo is made again where that takes less time than keeping it, the rows that its
 * own inputs must have for that counted in. `states`: how far each part is before, after, and a strip later.
 */
function steadyStrip(
  { parts, links, modes }: Segment,
  [before, after, later]: readonly (readonly number[])[],
  cyclesOf: CyclesOf,
  target: Target,
): Steady {
  const again = new Set<number>();
  const from = [...before];
  const low = new Map<Rows, number>();
  const makers = new Map<Rows, number>();
  for (const { rows } of parts) makers.set(rows, (makers.get(rows) ?? 0) + 1);
  for (let job = links.length - 1; job >= 0; job--) {
    const part = parts[job];
    const { rows, work, step, first } = part;
    if (!work) continue;
    const alone = makers.get(rows) === 1 && !part.sink && modes.get(rows.root) === "strips" && step === 1;
    const halo = alone ? haloOf(part, before[job], low.get(rows) ?? Number.POSITIVE_INFINITY) : 0;
    if (halo > 0) {
      const advance = Math.max(0, after[job] - before[job]);
      const keep = keepCycles(part, halo, halo + advance, target);
      let remake = cyclesOf(work, advance + halo) - cyclesOf(work, advance);
      for (const { read, makers: sources } of links[job]) {
        const [more, height] = [read.slope * halo, read.slope * (halo + advance)];
        for (const source of sources) remake += keepCycles(parts[source], more, height, target);
      }
      if (remake < keep) {
        again.add(job);
        from[job] = Math.floor(((low.get(rows) ?? first) - first) / step);
      }
    }
    if (later[job] <= before[job]) continue;
    // The next strip reads on from here; what this one begins with is the lowest of both.
    const begin = after[job] > before[job] || again.has(job) ? from[job] : after[job];
    for (const { read } of links[job]) {
      const row = roughly.low(work, read, begin);
      if (row < (low.get(read.rows) ?? Number.POSITIVE_INFINITY)) low.set(read.rows, row);
    }
  }
  return { from, low, again };
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

const nothing = (): Expense => ({ vectorCycles: 0, traffic: 0, bytes: 0, commands: 0 });

/** The segment, made as if all around it lay in DRAM, in so many strips. */
export function estimate(segment: Segment, strips: number, cyclesOf: CyclesOf, target: Target): Estimate {
  const { parts, links, modes, from, to } = segment;
  const states = [-1, 0, 1].map((at) => progressAt(segment, 1 + at / strips, roughly));
  const { again, from: begins, low: lows } = steadyStrip(segment, states, cyclesOf, target);
  const [halos, heights] = [new Map<Rows, number>(), new Map<Rows, number>()];
  const own = nothing();
  const edges = new Map<Root, Expense>();
  const expense = (rows: Rows): Expense => {
    if (isInside(rows, from, to)) return own;
    const known = edges.get(rows.root) ?? nothing();
    edges.set(rows.root, known);
    return known;
  };
  let arrayCycles = 0;
  parts.forEach((part, index) => {
    const { rows, first, step, work } = part;
    const [low, high] = [begins[index], states[1][index]];
    const advance = Math.max(0, states[1][index] - states[0][index]);
    const bytes = rows.root.bytes * shareOf(part);
    const edge = expense(rows);
    if (work) {
      const times = work.count / Math.max(1, advance);
      const cycles = cyclesOf(work, Math.max(1, high - low)) * times;
      if (work.job.engine === "array") arrayCycles += cycles;
      else if (work.job.engine === "vector") own.vectorCycles += cycles;
      own.commands += times;
      own.bytes += alignUp(work.constantBytes, 64);
      own.traffic += work.constantBytes;
    } else {
      edge.traffic += bytes;
      edge.commands += strips;
      // The next strip's rows come in while this one is in use.
      edge.bytes += advance * rows.bytes * shareOf(part);
    }
    if (part.sink) {
      edge.traffic += bytes;
      edge.bytes += (modes.get(rows.root) === "strips" ? 0 : 2) * Math.min(1, advance / part.count) * bytes;
    }
    if (modes.get(rows.root) !== "strips") return;
    const needed = Math.min(lows.get(rows) ?? Number.POSITIVE_INFINITY, first + step * low);
    const halo = again.has(index) ? 0 : haloOf(part, states[0][index], needed);
    const height = Math.min(rows.count, first + step * high - needed);
    halos.set(rows, Math.max(halos.get(rows) ?? 0, halo));
    heights.set(rows, Math.max(heights.get(rows) ?? 0, height));
    edge.vectorCycles += strips * keepCycles(part, halo, height, target);
    if (halo > 0) edge.commands += strips * 2;
  });
  const seen = new Set<Rows>();
  for (const { rows } of parts) {
    if (seen.has(rows)) continue;
    seen.add(rows);
    const inside = isInside(rows, from, to);
    if (inside && modes.get(rows.root) === "whole") own.bytes += alignUp(rows.root.bytes, 64);
    if (inside || !heights.has(rows)) continue;
    expense(rows).bytes += ((halos.get(rows) ?? 0) + (heights.get(rows) ?? 0)) * rows.bytes;
    heights.delete(rows);
  }
  for (const reads of links) {
    for (const { read } of reads) {
      const { rows, view } = read;
      if (modes.get(rows.root) === "strips" || isInside(rows, from, to)) continue;
      expense(rows).traffic += (elementsOf(view.shape) * rows.root.bytes) / elementsOf(rows.root.shape);
    }
  }
  own.bytes += peakOf(segment, halos, heights);
  return { strips, arrayCycles, own, edges, again };
}

/** All that a segment spends, given what lies in SRAM around it. */
export function expenseOf({ own, edges }: Estimate, inSram: InSram): Expense {
  const sum = { ...own };
  for (const [root, edge] of edges) {
    if (inSram(root)) continue;
    sum.vectorCycles += edge.vectorCycles;
    sum.traffic += edge.traffic;
    sum.bytes += edge.bytes;
    sum.commands += edge.commands;
  }
  return sum;
}
