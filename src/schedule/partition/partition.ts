/** One program's jobs shared among the NPUs of a SoC, which exchange what they need of each other through DRAM. */
import type { Target } from "../../target/schema.ts";
import type { Job, TileJob } from "../job.ts";
import { loadJob, storeJob } from "../jobs/move.ts";
import type { Transfers } from "../transfers.ts";
import { type Box, boxView, type Root, viewOfRoot } from "../view.ts";
import { chooseSplits, isLoad } from "./choose.ts";
import { exchangeBox, hullOf, isWithin, overlapOf, partOf, type Split, sameParts } from "./split.ts";

/** What an NPU needs of what another one makes. */
interface Need {
  readonly from: number;
  readonly to: number;
  box: Box;
}

/** By writer: what others need of its parts, over all readers. */
function needsOf(jobs: readonly Job[], splits: readonly (Split | undefined)[], burst: number): Map<number, Need[]> {
  const writers = new Map<Root, number[]>();
  const needs = new Map<number, Need[]>();
  jobs.forEach((job, index) => {
    const split = splits[index];
    if (job.kind === "cpu" || split === undefined) return;
    job.inputs.forEach((view, input) => {
      for (const writer of view ? (writers.get(view.root) ?? []) : []) {
        const known = needs.get(writer) ?? add(needs, writer);
        if (view) collect(splits[writer], split.read[input], view.root, burst, known);
      }
    });
    if (!job.direct?.output) writers.set(job.output.root, [...(writers.get(job.output.root) ?? []), index]);
  });
  return needs;
}

function add(needs: Map<number, Need[]>, writer: number): Need[] {
  const list: Need[] = [];
  needs.set(writer, list);
  return list;
}

function collect(
  made: Split | undefined,
  read: readonly (Box | undefined)[],
  root: Root,
  burst: number,
  needs: Need[],
): void {
  made?.made.forEach((box, from) => {
    read.forEach((wanted, to) => {
      const needed = from === to ? undefined : overlapOf(box, wanted);
      if (!box || !needed || isWithin(needed, made.made[to])) return;
      const part = exchangeBox(root, needed, box, burst);
      const known = needs.find((need) => need.from === from && need.to === to);
      if (known) known.box = hullOf(known.box, part);
      else needs.push({ from, to, box: part });
    });
  });
}

/** Stores of what others need, each once, and loads, one for all that need the same. */
function exchangesOf(job: TileJob, needs: readonly Need[]): TileJob[] {
  const whole = viewOfRoot(job.output.root);
  const named = { name: job.name, origin: job.origin };
  const groups: { from: number; box: Box; to: number[] }[] = [];
  for (const { from, to, box } of needs) {
    const group = groups.find((other) => other.from === from && sameParts(other.box, box));
    if (group) group.to.push(to);
    else groups.push({ from, box, to: [to] });
  }
  const stores = groups.map(({ from, box }): TileJob => {
    const part = boxView(whole, box);
    return { ...storeJob(named, part, part), npu: from };
  });
  const loads = groups.map(({ box, to }): TileJob => {
    const part = boxView(whole, box);
    const npus = to.length > 1 ? { npus: [...to].sort((a, b) => a - b) } : {};
    return { ...loadJob(named, part, part), npu: Math.min(...to), ...npus };
  });
  return [...stores, ...loads];
}

/** Loads of a root that lies in DRAM: what each NPU reads of it, once for those that read the same. */
function loadsOf(job: TileJob, wanted: readonly (Box | undefined)[]): TileJob[] {
  const whole = viewOfRoot(job.output.root);
  return wanted.flatMap((box, npu) => {
    if (!box || wanted.findIndex((other) => sameParts(other, box)) !== npu) return [];
    const npus = [...wanted.keys()].filter((other) => sameParts(wanted[other], box));
    const part = boxView(whole, box);
    return [{ ...loadJob(job, part, part), npu, ...(npus.length > 1 ? { npus } : {}) }];
  });
}

/** By root: what each NPU reads of it. */
function readsOf(jobs: readonly Job[], splits: readonly (Split | undefined)[]): Map<Root, (Box | undefined)[]> {
  const reads = new Map<Root, (Box | undefined)[]>();
  jobs.forEach((job, index) => {
    const split = splits[index];
    if (job.kind === "cpu" || split === undefined) return;
    job.inputs.forEach((view, input) => {
      if (!view) return;
      const known = reads.get(view.root) ?? [];
      reads.set(view.root, known);
      split.read[input].forEach((box, npu) => {
        if (box) known[npu] = hullOf(known[npu], box);
      });
    });
  });
  return reads;
}

/** The jobs of `transfers`, each as one part an NPU where that pays, and an estimate of what a run takes. */
export function partitionJobs(
  transfers: Transfers,
  npus: number,
  target: Target,
): { readonly transfers: Transfers; readonly cycles: number } {
  const { jobs } = transfers;
  const { splits, cycles } = chooseSplits(jobs, npus, target);
  const needs = needsOf(jobs, splits, target.dma.burstBytes);
  const reads = readsOf(jobs, splits);
  const parts = new Map<Job, readonly Job[]>();
  const arranged = jobs.flatMap((job, index): Job[] => {
    if (job.kind === "cpu") return [job];
    const split = splits[index];
    if (isLoad(job)) return loadsOf(job, reads.get(job.output.root) ?? []);
    if (split === undefined) return [job];
    const own = split.windows.flatMap((window, npu) => (window ? [partOf(job, window, npu, index)] : []));
    parts.set(job, own);
    return [...own, ...exchangesOf(job, needs.get(index) ?? [])];
  });
  const inPlace = new Map(
    [...transfers.inPlace].map(([root, { port, jobs: stores }]) => {
      return [root, { port, jobs: stores.flatMap((store) => parts.get(store) ?? [store]) }] as const;
    }),
  );
  return { transfers: { ...transfers, jobs: arranged, inPlace }, cycles };
}
