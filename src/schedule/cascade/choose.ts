/** Which jobs become cascades, in how many strips, and which tensors between them stay in SRAM. */
import { dramBytesPerCycle } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { finestGrid, memoryOf, type Place } from "../grid.ts";
import { inputsOf, type Job, outputsOf } from "../job.ts";
import type { Root } from "../view.ts";
import { bestCuts, type CutProblem } from "./cuts.ts";
import { type CyclesOf, cycleTable, type Estimate, estimate, expenseOf } from "./estimate.ts";
import type { Analysis, Rows, Work } from "./rows.ts";
import { type InSram, lifeOf, segmentOf } from "./segment.ts";

/** Jobs of one cascade at most. */
const LONGEST = 32;
/** Tensors at one cut whose place is chosen exactly; of more, the largest and longest-lived go to DRAM. */
const CHOSEN_AT_A_CUT = 3;
/** Of SRAM, what is planned with; the rest is for what does not fit side by side. */
const USABLE = 0.9;
/** Numbers of strips. */
const STRIPS = [2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128];
/**
 * Share of the vector unit's time, and of the transfers', that adds to the array's: most of it hides behind other work. A sum,
 * so that a segment's worth does not depend on how long it is.
 */
const VECTOR_WEIGHT = 0.5;
const DRAM_WEIGHT = 0.7;

export interface ChosenCascade {
  readonly from: number;
  readonly to: number;
  readonly strips: number;
  readonly again: ReadonlySet<number>;
  readonly inSram: InSram;
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
  { bytes: capacity, keeps }: Target["sram"],
): Places {
  const always = new Set<Root>();
  const never = new Set<Root>();
  for (const job of jobs) {
    if (job.kind === "cpu") for (const { root } of [...inputsOf(job), ...outputsOf(job)]) never.add(root);
  }
  for (const root of rows.keys()) {
    if (keeps === "operands" || root.kind === "output" || root.bytes > capacity * USABLE) never.add(root);
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
      for (const other of crossing) if (other.includes(victim)) other.splice(other.indexOf(victim), 1);
    }
  }
  return { always, never, crossing, settled };
}

function timeOf(array: number, vector: number, traffic: number, target: Target): number {
  return array + VECTOR_WEIGHT * vector + (DRAM_WEIGHT * traffic) / dramBytesPerCycle(target);
}

/** One job by itself, tile by tile; infinite where it finds no room beside what else is in SRAM. */
function plainCost(work: Work, others: number, inSram: InSram, cyclesOf: CyclesOf, target: Target): number {
  const { job, constantBytes } = work;
  const capacity = target.sram.bytes;
  const isThere = (root: Root) => inSram(root);
  let staged = 0;
  const inputs = job.inputs.map((view): Place | undefined => {
    if (!view) return undefined;
    if (view.root.kind === "constant") return "package";
    if (isThere(view.root)) return "sram";
    staged += view.root.bytes;
    return "stage";
  });
  const direct = job.direct?.output === true;
  const output: Place = direct ? "direct" : isThere(job.output.root) ? "sram" : "stage";
  const written = output === "sram" ? 0 : bytesWritten(work);
  const free = capacity * USABLE - others;
  const least = memoryOf(job, { inputs, output }, finestGrid(job), target).single;
  const whole = staged + constantBytes + (output === "stage" ? written : 0);
  if (Math.min(whole, least * 2) > free) return Number.POSITIVE_INFINITY;
  let traffic = constantBytes + staged + written;
  if (staged + (output === "stage" ? written : 0) > 0 && constantBytes > free / 2) {
    // Neither constants nor codes fit at once: one of them comes again for every piece of the other.
    const pieces = (bytes: number) => Math.ceil(bytes / (free / 3)) - 1;
    traffic += Math.min(constantBytes * pieces(staged + written), staged * pieces(constantBytes));
  }
  const cycles = cyclesOf(work, work.count);
  return timeOf(job.engine === "array" ? cycles : 0, job.engine === "vector" ? cycles : 0, traffic, target);
}

function bytesWritten({ job }: Work): number {
  const { root, shape } = job.output;
  const all = root.shape.reduce((product, size) => product * size, 1);
  return (shape.reduce((product, size) => product * size, 1) * root.bytes) / all;
}

/** The choice for all jobs; undefined where no cascade is worth it. */
export function chooseCascades(jobs: readonly Job[], analysis: Analysis, target: Target): Choice | undefined {
  const capacity = target.sram.bytes;
  const { always, never, crossing, settled } = settlePlaces(jobs, analysis.rows, target.sram);
  const ids = new Map<Root, number>();
  for (const there of crossing) for (const root of there) if (!ids.has(root)) ids.set(root, ids.size);
  const cyclesOf = cycleTable(target);
  const lookup = (from: number, to: number, before: number, after: number): InSram => {
    const there = new Set<Root>();
    crossing[from].forEach((root, bit) => {
      if ((before >> bit) & 1) there.add(root);
    });
    crossing[to].forEach((root, bit) => {
      if ((after >> bit) & 1) there.add(root);
    });
    return (root) => there.has(root) || always.has(root);
  };
  const others = (from: number, to: number, before: number, after: number): number => {
    let bytes = Math.max(settled[from], settled[to]);
    crossing[from].forEach((root, bit) => {
      if ((before >> bit) & 1) bytes += root.bytes;
    });
    crossing[to].forEach((root, bit) => {
      if ((after >> bit) & 1 && !crossing[from].includes(root)) bytes += root.bytes;
    });
    return bytes;
  };
  const reach = reachOf(analysis, target.sram);
  const candidates = new Map<number, Candidate>();
  /** By first job: the segment's end from which on not even the thinnest strips fit. */
  const tooLong = new Map<number, number>();
  const cascade = (from: number, to: number, before: number, after: number) => {
    if (to >= (tooLong.get(from) ?? to + 1)) return undefined;
    const key = from * (jobs.length + 1) + to;
    const known = candidates.get(key) ?? candidateOf(analysis, from, to, cyclesOf, target);
    candidates.set(key, known);
    const { options, at } = known;
    if (options.length > 0 && at(options.length - 1).own.bytes > capacity) tooLong.set(from, to);
    const room = capacity * USABLE - others(from, to, before, after);
    return bestStrips(known, lookup(from, to, before, after), room, target);
  };
  const problem: CutProblem = {
    jobs: jobs.length,
    crossing: crossing.map((there) => there.map((root) => ids.get(root) as number)),
    reach,
    cost: (from, to, before, after) => {
      if (to > from + 1) return cascade(from, to, before, after)?.cost ?? Number.POSITIVE_INFINITY;
      const work = analysis.work[from];
      if (!work) return 0;
      const inSram = lookup(from, to, before, after);
      return plainCost(work, others(from, to, before, after), inSram, cyclesOf, target);
    },
  };
  const found = bestCuts(problem);
  if (!found) return undefined;
  const inDram = new Set(never);
  const stays = new Set<Root>();
  const cascades: ChosenCascade[] = [];
  for (const { from, to, before, after } of found.segments) {
    const inSram = lookup(from, to, before, after);
    for (const root of [...crossing[from], ...crossing[to]]) (inSram(root) ? stays : inDram).add(root);
    const best = to > from + 1 ? cascade(from, to, before, after) : undefined;
    if (best) cascades.push({ from, to, strips: best.estimate.strips, again: best.estimate.again, inSram });
  }
  return cascades.length === 0 ? undefined : { cascades, inDram };
}

/**
 * How far a segment that begins at each job may go: movable jobs only, whose constants leave room; where SRAM keeps operands
 * only, what the vector unit does to a result on its way out.
 */
function reachOf({ work }: Analysis, { bytes: capacity, keeps }: Target["sram"]): number[] {
  return work.map((_, from) => {
    let bytes = 0;
    let to = from;
    while (to < work.length && to < from + LONGEST) {
      const job = work[to];
      bytes += job?.constantBytes ?? 0;
      if (!job?.movable || bytes > capacity * USABLE) break;
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
