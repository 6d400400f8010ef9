/** Which jobs become cascades, in how many strips, and which tensors between them stay in SRAM. */
import type { Target } from "../../target/schema.ts";
import { inputsOf, type Job, outputsOf } from "../job.ts";
import type { Root } from "../view.ts";
import type { ChosenSegment, CutProblem } from "./cuts.ts";
import { type CyclesOf, cycleTable, type Estimate, estimate, expenseOf } from "./estimate.ts";
import { plainCosts, timeOf } from "./plain.ts";
import { type Analysis, analyse, type Rows, type Work } from "./rows.ts";
import { type InSram, lifeOf, type Segment, segmentOf } from "./segment.ts";

/** Jobs of one cascade at most; fewer where there are very many jobs, so that time does not grow with their square. */
const LONGEST = 32;
const MOST_SEGMENTS = 20_000;
/** Tensors at one cut whose place is chosen exactly; of more, the largest and longest-lived go to DRAM. */
const CHOSEN_AT_A_CUT = 3;
/** Numbers of strips. */
const STRIPS = [
  2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 27, 30, 32, 36, 40, 48, 54, 64, 80, 96, 128,
];

export interface ChosenCascade {
  readonly segment: Segment;
  readonly strips: number;
  /** Parts of the segment that make the rows that the next strip needs too anew. */
  readonly again: ReadonlySet<number>;
}

export interface Choice {
  readonly cascades: readonly ChosenCascade[];
  /** Tensors that lie in DRAM. */
  readonly inDram: ReadonlySet<Root>;
}

interface Places {
  readonly always: ReadonlySet<Root>;
  readonly never: ReadonlySet<Root>;
  /** By cut: tensors to choose for. */
  readonly crossing: readonly (readonly Root[])[];
  /** By cut: bytes of the tensors that are always there. */
  readonly settled: Float64Array;
}

/** Tensors too small to matter stay in SRAM; those that are too large for it, or of the host, do not, nor do any where it keeps operands only. */
function settlePlaces(
  jobs: readonly Job[],
  rows: ReadonlyMap<Root, Rows>,
  { bytes: capacity, keeps }: Pick<Target["sram"], "bytes" | "keeps">,
): Places {
  const always = new Set<Root>();
  const never = new Set<Root>();
  for (const job of jobs) {
    if (job.kind === "cpu") for (const { root } of [...inputsOf(job), ...outputsOf(job)]) never.add(root);
  }
  for (const root of rows.keys()) {
    if (keeps === "operands" || root.kind === "output" || root.bytes > capacity) never.add(root);
    else if (!never.has(root) && root.bytes * 64 <= capacity) always.add(root);
  }
  const crossing: Root[][] = Array.from({ length: jobs.length + 1 }, () => []);
  const settled = new Float64Array(jobs.length + 1);
  const spans = new Map<Root, number>();
  for (const [root, own] of rows) {
    if (never.has(root)) continue;
    const { first, last } = lifeOf(own);
    spans.set(root, last - first);
    for (let cut = first + 1; cut <= last; cut++) {
      if (always.has(root)) settled[cut] += root.bytes;
      else crossing[cut].push(root);
    }
  }
  for (const there of crossing) {
    while (there.length > CHOSEN_AT_A_CUT) {
      const weight = (root: Root) => root.bytes * (spans.get(root) ?? 0);
      const victim = there.reduce((worst, root) => (weight(root) > weight(worst) ? root : worst));
      never.add(victim);
      const { first, last } = lifeOf(rows.get(victim) as Rows);
      for (let cut = first + 1; cut <= last; cut++) crossing[cut].splice(crossing[cut].indexOf(victim), 1);
    }
  }
  return { always, never, crossing, settled };
}

/** The choice as a problem of cuts. */
export interface CascadeProblem extends CutProblem {
  /** What a way through the cuts means; undefined where it has no cascade. */
  choice(segments: readonly ChosenSegment[]): Choice | undefined;
}

/**
 * The problem for jobs and the share of the SRAM that is planned with; the rest is for what does not fit side by side and
 * for what is brought in ahead of its use.
 */
export function cascadeProblems(jobs: readonly Job[], target: Target): (usable: number) => CascadeProblem {
  const analysis = analyse(jobs);
  const cyclesOf = cycleTable(target);
  const plainCost = plainCosts(cyclesOf, target);
  const candidates = new Map<number, Candidate>();
  /** By first job: the segment's end from which on not even the thinnest strips fit. */
  const tooLong = new Map<number, number>();
  const candidate = (from: number, to: number): Candidate | undefined => {
    if (to >= (tooLong.get(from) ?? to + 1)) return undefined;
    const key = from * (jobs.length + 1) + to;
    const found = candidates.get(key) ?? candidateOf(analysis, from, to, cyclesOf, target);
    candidates.set(key, found);
    const { options, at } = found;
    if (options.length > 0 && at(options.length - 1).own.bytes > target.sram.bytes) tooLong.set(from, to);
    return found;
  };
  return (usable) => {
    const capacity = target.sram.bytes * usable;
    const sram = { bytes: capacity, keeps: target.sram.keeps };
    const { always, never, crossing, settled } = settlePlaces(jobs, analysis.rows, sram);
    const ids = new Map<Root, number>();
    for (const there of crossing) for (const root of there) if (!ids.has(root)) ids.set(root, ids.size);
    /** What is in SRAM at both ends, and the room that is left beside it. */
    const around = (from: number, to: number, before: number, after: number) => {
      const there = new Set<Root>();
      crossing[from].forEach((root, bit) => {
        if ((before >> bit) & 1) there.add(root);
      });
      crossing[to].forEach((root, bit) => {
        if ((after >> bit) & 1) there.add(root);
      });
      let room = capacity - Math.max(settled[from], settled[to]);
      for (const { bytes } of there) room -= bytes;
      return { inSram: (root: Root) => there.has(root) || always.has(root), room };
    };
    const cascade = (from: number, to: number, inSram: InSram, room: number) => {
      const found = candidate(from, to);
      return found && bestStrips(found, inSram, room, target);
    };
    return {
      jobs: jobs.length,
      crossing: crossing.map((there) => there.map((root) => ids.get(root) as number)),
      reach: reachOf(analysis, sram),
      cost: (from, to, before, after) => {
        const { inSram, room } = around(from, to, before, after);
        if (to > from + 1) return cascade(from, to, inSram, room)?.cost ?? Number.POSITIVE_INFINITY;
        const work = analysis.work[from];
        return work ? plainCost(work, room, inSram) : 0;
      },
      choice: (segments) => {
        const inDram = new Set(never);
        const cascades: ChosenCascade[] = [];
        for (const { from, to, before, after } of segments) {
          const { inSram, room } = around(from, to, before, after);
          for (const root of [...crossing[from], ...crossing[to]]) if (!inSram(root)) inDram.add(root);
          const best = to > from + 1 ? cascade(from, to, inSram, room) : undefined;
          if (!best) continue;
          const { strips, again } = best.estimate;
          cascades.push({ strips, again, segment: segmentOf(analysis, from, to, inSram) });
        }
        return cascades.length === 0 ? undefined : { cascades, inDram };
      },
    };
  };
}

/**
 * How far a segment that begins at each job may go: movable jobs only, whose constants leave room; where SRAM keeps operands
 * only, what the vector unit does to a result on its way out.
 */
function reachOf({ work }: Analysis, { bytes: capacity, keeps }: Pick<Target["sram"], "bytes" | "keeps">): number[] {
  const longest = Math.max(1, Math.min(LONGEST, Math.floor(MOST_SEGMENTS / work.length)));
  return work.map((_, from) => {
    let bytes = 0;
    let to = from;
    while (to < work.length && to < from + longest) {
      const job = work[to];
      bytes += job?.constantBytes ?? 0;
      if (!job?.movable || bytes > capacity) break;
      if (keeps === "operands" && to > from && job.job.engine !== "vector") break;
      to++;
    }
    return Math.max(to, from + 1);
  });
}

/** A segment with its numbers of strips, estimated when asked for. */
interface Candidate {
  readonly options: readonly number[];
  at(option: number): Estimate;
}

function candidateOf(analysis: Analysis, from: number, to: number, cyclesOf: CyclesOf, target: Target): Candidate {
  const last = analysis.work[to - 1] as Work;
  const options = STRIPS.filter((strips) => strips <= last.count);
  const segment = segmentOf(analysis, from, to, () => false);
  const known = new Map<number, Estimate>();
  return {
    options,
    at(option) {
      const found = known.get(option) ?? estimate(segment, options[option], cyclesOf, target);
      known.set(option, found);
      return found;
    },
  };
}

/** The fewest strips that fit, or a few more where that is better. */
function bestStrips(
  { options, at }: Candidate,
  inSram: InSram,
  room: number,
  target: Target,
): { cost: number; estimate: Estimate } | undefined {
  let low = 0;
  let high = options.length;
  const fits = (option: number) => expenseOf(at(option), inSram).bytes <= room;
  if (high === 0 || !fits(high - 1)) return undefined;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(middle)) high = middle;
    else low = middle + 1;
  }
  let best: { cost: number; estimate: Estimate } | undefined;
  for (let option = low; option < Math.min(options.length, low + 3); option++) {
    const found = at(option);
    const { vectorCycles, traffic, bytes, commands } = expenseOf(found, inSram);
    if (bytes > room) continue;
    const cost = timeOf(found.arrayCycles, vectorCycles, traffic, target) + commands * target.issueCycles;
    if (best === undefined || cost < best.cost) best = { cost, estimate: found };
  }
  return best;
}
