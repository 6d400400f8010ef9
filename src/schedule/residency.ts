/** Which tensors stay in SRAM from their making to their last use, and which live in DRAM. */
import { CompileError } from "../error.ts";
import type { Target } from "../target/schema.ts";
import { type Allocation, alignUp, allocate, type Lifetime, liveBytes } from "./allocate.ts";
import { finestGrid, memoryOf, type Place, type Places, wholeBytes } from "./grid.ts";
import { inputsOf, type Job, outputsOf, type TileJob } from "./job.ts";
import type { Root } from "./view.ts";

/**
 * Jobs for which a tensor's bytes are left alone after its last use, if there is room: whoever reuses them at once must
 * wait for all tiles of that last use, and engines could not overlap.
 */
const REST = [3, 1, 0];

export interface Residency {
  /** Roots that lie in SRAM, with the jobs (by index) during which they do. */
  readonly resident: ReadonlyMap<Root, { readonly first: number; readonly last: number; readonly address: number }>;
  /** For every job: no resident root that lives then reaches this address. */
  readonly top: Float64Array;
  readonly allocation: Allocation;
}

interface Span {
  readonly root: Root;
  first: number;
  last: number;
  /** Jobs that read it. */
  reads: number;
}

/** First and last job that touches each root in SRAM; constants and ports have no place of their own there. */
function spansOf(jobs: readonly Job[]): Map<Root, Span> {
  const spans = new Map<Root, Span>();
  jobs.forEach((job, index) => {
    const touch = (root: Root, read: boolean) => {
      if (root.kind === "constant") return;
      const span = spans.get(root);
      if (!span) spans.set(root, { root, first: index, last: index, reads: read ? 1 : 0 });
      else {
        span.last = index;
        if (read) span.reads++;
      }
    };
    for (const { root } of inputsOf(job)) touch(root, true);
    if (job.kind === "cpu" || !job.direct?.output) for (const { root } of outputsOf(job)) touch(root, false);
  });
  return spans;
}

/** Where a job's operands are, given who is resident. */
export function placesOf(job: TileJob, isResident: (root: Root) => boolean): Places {
  const inputs = job.inputs.map((view, index): Place | undefined => {
    if (view === undefined) return undefined;
    if (job.direct?.input === index) return "direct";
    if (view.root.kind === "constant") return "package";
    return isResident(view.root) ? "sram" : "stage";
  });
  const output = job.direct?.output ? "direct" : isResident(job.output.root) ? "sram" : "stage";
  return { inputs, output };
}

/** A load into SRAM of what stays in DRAM: no work. */
export function isIdle(job: TileJob, isResident: (root: Root) => boolean): boolean {
  return job.direct?.input === 0 && job.inputs[0]?.root === job.output.root && !isResident(job.output.root);
}

/** Bytes of SRAM that a job should find free for its tiles; more is better, less is possible. */
function wantedBytes(job: Job, isResident: (root: Root) => boolean, target: Target, thrift: number): number {
  if (job.kind === "cpu" || isIdle(job, isResident)) return 0;
  const places = placesOf(job, isResident);
  const whole = wholeBytes(job, places);
  if (whole === 0) return 0;
  const staged = [...places.inputs, places.output].includes("stage");
  const least = memoryOf(job, places, finestGrid(job), target).single;
  const share = target.sram.bytes / (staged ? 4 : 8);
  return Math.min(whole, Math.max(least * 2, Math.floor(share * thrift)));
}

/** Bytes moved to and from DRAM if a root is not resident, beyond what must move anyway. */
function extraTraffic({ root, reads }: Span): number {
  return root.kind === "computed" ? root.bytes * (1 + reads) : root.bytes * Math.max(0, reads - 1) + 1;
}

/**
 * Takes roots out of SRAM, the cheapest first, until every job finds room, then gives the rest addresses. `thrift` in
 * (0, 1] scales the room that tiles are promised; `alone`: nothing stays. Throws model/layer-too-large, which names the layer, the need and the limit.
 */
export function chooseResidents(jobs: readonly Job[], target: Target, thrift: number, alone: boolean): Residency {
  const capacity = target.sram.bytes;
  const spans = spansOf(jobs);
  const banished = new Set<Root>();
  for (const job of jobs) {
    if (job.kind === "cpu") for (const { root } of [...job.inputs, ...job.outputs]) banished.add(root);
  }
  for (const root of spans.keys()) if (alone || alignUp(root.bytes, 64) > capacity) banished.add(root);
  const isResident = (root: Root) => !banished.has(root);
  for (let limit = capacity; ; ) {
    banish(jobs, spans, banished, limit, target, thrift);
    const kept = [...spans.values()].filter(({ root }) => isResident(root));
    const wanted = jobs.map((job) => wantedBytes(job, isResident, target, thrift));
    let excess = 0;
    for (const rest of REST) {
      const lifetimes = kept.map(({ root, first, last }): Lifetime => {
        return { bytes: root.bytes, first, last: Math.min(last + rest, jobs.length - 1) };
      });
      const allocation = allocate(lifetimes, target.sram.alignmentBytes);
      const top = topsOf(lifetimes, allocation, jobs.length);
      excess = wanted.reduce((most, bytes, index) => Math.max(most, top[index] + bytes - capacity), 0);
      if (excess > 0 && kept.length > 0) continue;
      const resident = new Map(
        kept.map(({ root, first, last }, index) => [root, { first, last, address: allocation.addresses[index] }]),
      );
      return { resident, top, allocation };
    }
    limit -= Math.max(excess, Math.floor(capacity / 64));
  }
}

function topsOf(lifetimes: readonly Lifetime[], { addresses }: Allocation, moments: number): Float64Array {
  const top = new Float64Array(moments);
  lifetimes.forEach(({ bytes, first, last }, index) => {
    for (let moment = first; moment <= last; moment++)
      top[moment] = Math.max(top[moment], addresses[index] + alignUp(bytes, 64));
  });
  return top;
}

function banish(
  jobs: readonly Job[],
  spans: ReadonlyMap<Root, Span>,
  banished: Set<Root>,
  limit: number,
  target: Target,
  thrift: number,
): void {
  const isResident = (root: Root) => !banished.has(root);
  const lifetimes = [...spans.values()]
    .filter(({ root }) => isResident(root))
    .map(({ root, first, last }) => ({ bytes: alignUp(root.bytes, 64), first, last }));
  const live = liveBytes(lifetimes, jobs.length);
  for (let index = 0; index < jobs.length; index++) {
    for (;;) {
      const job = jobs[index];
      const wanted = wantedBytes(job, isResident, target, thrift);
      const excess = live[index] + wanted - limit;
      if (excess <= 0) break;
      const victim = cheapest(spans, banished, index, excess);
      if (victim === undefined) {
        if (wanted <= target.sram.bytes) break;
        refuse(job as TileJob, isResident, target);
        break;
      }
      banished.add(victim.root);
      for (let moment = victim.first; moment <= victim.last; moment++) live[moment] -= alignUp(victim.root.bytes, 64);
    }
  }
}

/** The root whose absence costs the least traffic for each byte that it relieves. */
function cheapest(
  spans: ReadonlyMap<Root, Span>,
  banished: ReadonlySet<Root>,
  index: number,
  excess: number,
): Span | undefined {
  let best: Span | undefined;
  let bestPrice = Number.POSITIVE_INFINITY;
  for (const span of spans.values()) {
    if (banished.has(span.root) || span.first > index || span.last < index) continue;
    const price = extraTraffic(span) / Math.min(span.root.bytes, excess);
    if (price < bestPrice) [best, bestPrice] = [span, price];
  }
  return best;
}

/** Even the smallest tile does not fit. */
function refuse(job: TileJob, isResident: (root: Root) => boolean, target: Target): void {
  const least = memoryOf(job, placesOf(job, isResident), finestGrid(job), target).single;
  if (least > target.sram.bytes) tooLarge(job, least, target);
}

export function tooLarge(job: TileJob, least: number, target: Target): never {
  throw new CompileError(
    "model/layer-too-large",
    `the layer ${job.name} needs ${least} bytes of SRAM for its smallest tile; ${target.name} has ${target.sram.bytes}`,
    { where: job.name, remedy: "choose a target with more SRAM, or make the layer narrower" },
  );
}
