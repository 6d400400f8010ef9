/** How each job is shared among the NPUs: the work that is saved against the exchange that it takes. */
import { dramBytesPerCycle, engineCycles } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { sizedCommand } from "../grid-facts.ts";
import { type Job, outputsOf, type TileJob } from "../job.ts";
import { type Root, type View, wholeBox } from "../view.ts";
import { busBytes, exchangeBox, isWithin, overlapOf, type Split, sameParts, splitsOf } from "./split.ts";

/** Of an exchange's transfers, what nobody works during: the rest goes on behind tiles that are still being made. */
export const EXPOSED = 0.4;

/** Cycles that an exchange takes beside its transfers: a write's and a read's latency, and their dispatch. */
export function exchangeCycles(target: Target): number {
  return 2 * target.dma.latencyCycles + 4 * target.issueCycles;
}

/** Whether a job only brings its root from DRAM into SRAM: what it brings follows from the readers. */
export function isLoad(job: Job): job is TileJob {
  return job.kind === "tile" && job.direct?.input === 0 && job.inputs[0]?.root === job.output.root;
}

/** DRAM traffic that brings what one split made to where another needs it. */
function exchanged(made: Split, read: readonly (typeof made.made)[number][], root: Root, burst: number): number {
  let bytes = 0;
  for (const [from, box] of made.made.entries()) {
    if (!box) continue;
    let [stored, loaded] = [0, 0];
    let first: ReturnType<typeof overlapOf>;
    for (const [to, need] of read.entries()) {
      if (to === from) continue;
      const needed = overlapOf(box, need);
      if (!needed || isWithin(needed, made.made[to])) continue;
      const part = exchangeBox(root, needed, box, burst);
      const size = busBytes(root, part, burst);
      stored = Math.max(stored, size);
      // What several need alike is read once.
      if (!first || !sameParts(first, part)) loaded += size;
      first ??= part;
    }
    // What all make is stored by none.
    bytes += stored + loaded;
  }
  return bytes;
}

interface State {
  readonly cost: number;
  /** The state of the job before it. */
  readonly before: number;
}

type Options = readonly (readonly (Split | undefined)[])[];

export interface Choice {
  /** Undefined for loads and for nodes of the host. */
  readonly splits: readonly (Split | undefined)[];
  /** An estimate of the run: the busiest of array, vector unit and DRAM, and all waiting for exchanges. */
  readonly cycles: number;
}

/** One split for every job. */
export function chooseSplits(jobs: readonly Job[], npus: number, target: Target): Choice {
  const options = jobs.map((job) => (job.kind === "cpu" || isLoad(job) ? [undefined] : splitsOf(job, npus, target)));
  const splits = bestSplits(jobs, options, target);
  return { splits, cycles: estimateOf(jobs, splits, target) };
}

/** What a run takes on one NPU at the least, however its work is ordered: all that its array, or its vector unit, does. */
export function leastAlone(jobs: readonly Job[], target: Target): number {
  const busy = new Map<string, number>();
  for (const job of jobs) {
    if (job.kind === "cpu") continue;
    const cycles = engineCycles(sizedCommand(job, wholeBox(job.output.shape)), target);
    busy.set(job.engine, (busy.get(job.engine) ?? 0) + cycles);
  }
  return Math.max(0, ...busy.values());
}

function estimateOf(jobs: readonly Job[], splits: readonly (Split | undefined)[], target: Target): number {
  const writers = new Map<Root, number[]>();
  const busy = new Map<string, number>();
  let [bytes, exchanges] = [0, 0];
  jobs.forEach((job, index) => {
    const split = splits[index];
    if (job.kind === "cpu" || split === undefined) return;
    busy.set(job.engine, (busy.get(job.engine) ?? 0) + split.cycles);
    bytes += split.fetchedBytes;
    job.inputs.forEach((view, input) => {
      for (const writer of view ? (writers.get(view.root) ?? []) : []) {
        const made = splits[writer];
        const moved = made && view ? exchanged(made, split.read[input], view.root, target.dma.burstBytes) : 0;
        bytes += moved;
        if (moved > 0) exchanges++;
      }
    });
    if (!job.direct?.output) writers.set(job.output.root, [...(writers.get(job.output.root) ?? []), index]);
  });
  const longest = Math.max(bytes / dramBytesPerCycle(target), ...busy.values());
  return longest + exchanges * exchangeCycles(target);
}

/**
 * By dynamic programming along the program: the state is how the last job is shared, exchanges with earlier ones follow the
 * path.
 */
function bestSplits(jobs: readonly Job[], options: Options, target: Target): (Split | undefined)[] {
  const perCycle = dramBytesPerCycle(target);
  const latency = exchangeCycles(target);
  const writers = new Map<Root, number[]>();
  const states: State[][] = [];
  const exchangeOf = (from: Split | undefined, to: Split | undefined, { root }: View, input: number): number => {
    const bytes = from && to ? exchanged(from, to.read[input], root, target.dma.burstBytes) : 0;
    return bytes === 0 ? 0 : latency + (EXPOSED * bytes) / perCycle;
  };
  jobs.forEach((job, index) => {
    const before = states[index - 1] ?? [{ cost: 0, before: 0 }];
    // Who made what this job reads, nearest first, so that one walk back finds the choices of all.
    const sources = job.inputs
      .flatMap((view, input) => {
        if (!view || view.root.kind === "constant") return [];
        return (writers.get(view.root) ?? []).map((writer) => {
          const known = options[writer].map(() => new Float64Array(options[index].length).fill(-1));
          return { writer, input, view, known };
        });
      })
      .sort((a, b) => b.writer - a.writer);
    const paths = before.map((_, state) => {
      const choices: number[] = [];
      let [at, chosen] = [index - 1, state];
      for (const { writer } of sources) {
        for (; at > writer; at--) chosen = states[at][chosen].before;
        choices.push(chosen);
      }
      return choices;
    });
    states.push(
      options[index].map((split, chosen) => {
        const own = split === undefined ? 0 : split.cycles + split.fetchedBytes / perCycle;
        let best: State = { cost: Number.POSITIVE_INFINITY, before: 0 };
        before.forEach(({ cost }, state) => {
          let total = cost + own;
          sources.forEach(({ writer, input, view, known }, at) => {
            const made = paths[state][at];
            const row = known[made];
            if (row[chosen] < 0) row[chosen] = exchangeOf(options[writer][made], split, view, input);
            total += row[chosen];
          });
          if (total < best.cost) best = { cost: total, before: state };
        });
        return best;
      }),
    );
    // What lies in DRAM is nobody's: it is fetched in any case.
    if (job.kind === "tile" && (job.direct?.output || isLoad(job))) return;
    for (const { root } of outputsOf(job)) writers.set(root, [...(writers.get(root) ?? []), index]);
  });
  const last = states[states.length - 1] ?? [];
  let chosen = last.reduce((best, { cost }, state) => (cost < last[best].cost ? state : best), 0);
  const splits = new Array<Split | undefined>(jobs.length);
  for (let index = jobs.length - 1; index >= 0; index--) {
    splits[index] = options[index][chosen];
    chosen = states[index][chosen].before;
  }
  return splits;
}
