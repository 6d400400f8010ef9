/** Which tensors stay in SRAM from their making to their last use, and which live in DRAM. */
import { CompileError } from "../error.ts";
import type { Target } from "../target/schema.ts";
import { type Allocation, alignUp, allocate, type Lifetime, liveBytes } from "./allocate.ts";
import { finestGrid, memoryOf, type Place, type Places, wholeBytes } from "./grid.ts";
import { inputsOf, type Job, npusOf, outputsOf, type TileJob } from "./job.ts";
import { type Box, bytesOfBox, coverOf, type Root, type View, wholeBox } from "./view.ts";

/**
 * Jobs for which a tensor's bytes are left alone after its last use, if there is room: whoever reuses them at once must
 * wait for all tiles of that last use, and engines could not overlap.
 */
const REST = [3, 1, 0];

export interface Resident {
  /** The moments (jobs by index, or steps once their order is known) during which it lies in SRAM. */
  readonly first: number;
  readonly last: number;
  /** The same on all NPUs. */
  readonly address: number;
  /** By NPU: the part of the root that lies there, compact; undefined where none does. */
  readonly held: readonly (Box | undefined)[];
}

export interface Residency {
  /** Roots that lie in SRAM. */
  readonly resident: ReadonlyMap<Root, Resident>;
  /** By NPU, for every moment: no resident root that lives then reaches this address. */
  readonly tops: readonly Float64Array[];
  readonly allocation: Allocation;
  /** Whether a tensor that the chip makes found no room. */
  readonly spills: boolean;
}

interface Span {
  readonly root: Root;
  first: number;
  last: number;
  /** Jobs that read it. */
  reads: number;
  /** By NPU: what its jobs touch. */
  readonly held: (Box | undefined)[];
  /** Read by several NPUs at once: their parts must be the same. */
  shared: boolean;
}

/** What a job itself reads from DRAM to put it elsewhere. */
function isFetched(job: Job, view: View): boolean {
  if (job.kind === "cpu" || job.direct?.input === undefined) return false;
  return view === job.inputs[job.direct.input] && view.root !== job.output.root;
}

/** Bytes of a root's part on an NPU. */
export function heldBytes(root: Root, held: Box | undefined): number {
  return held === undefined ? 0 : bytesOfBox(root.dtype, held);
}

/** The most that a root takes on any NPU. */
export function mostBytes({ root, held }: Pick<Resident, "held"> & { readonly root: Root }): number {
  return held.reduce((most, box) => Math.max(most, heldBytes(root, box)), 0);
}

function unionOf(a: Box | undefined, b: Box): Box {
  if (a === undefined) return b;
  const start = a.start.map((at, axis) => Math.min(at, b.start[axis]));
  const size = start.map((at, axis) => Math.max(a.start[axis] + a.size[axis], b.start[axis] + b.size[axis]) - at);
  return { start, size };
}

/** First and last job that touches each root in SRAM; constants and ports have no place of their own there. */
function spansOf(jobs: readonly Job[], npus: number): Map<Root, Span> {
  const spans = new Map<Root, Span>();
  jobs.forEach((job, index) => {
    const where = npusOf(job);
    const touch = (view: View, read: boolean) => {
      const { root } = view;
      if (root.kind === "constant") return;
      const known = spans.get(root);
      const span = known ?? { root, first: index, last: index, reads: 0, held: [], shared: false };
      if (!known) spans.set(root, span);
      span.last = index;
      if (read) span.reads++;
      if (where.length > 1) span.shared = true;
      const box = npus === 1 ? wholeBox(root.shape) : coverOf(view);
      for (const npu of where) span.held[npu] = unionOf(span.held[npu], box);
    };
    for (const view of inputsOf(job)) if (!isFetched(job, view)) touch(view, true);
    if (job.kind === "cpu" || !job.direct?.output) for (const view of outputsOf(job)) touch(view, false);
  });
  for (const { held, shared } of spans.values()) {
    const all = held.filter((box) => box !== undefined).reduce((a: Box | undefined, b) => unionOf(a, b), undefined);
    if (shared) for (const npu of held.keys()) if (held[npu]) held[npu] = all;
  }
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

/** A load into SRAM of what stays in DRAM, or a store of what is there: no work. */
export function isIdle(job: TileJob, isResident: (root: Root) => boolean): boolean {
  const transfers = job.direct?.input === 0 || job.direct?.output === true;
  return transfers && job.inputs[0]?.root === job.output.root && !isResident(job.output.root);
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
 * (0, 1] scales the room that tiles are promised; `alone`: nothing stays; `inDram` does not in any case. Throws
 * model/layer-too-large, which names the layer, the need and the limit.
 */
export function chooseResidents(
  jobs: readonly Job[],
  npus: number,
  target: Target,
  thrift: number,
  alone: boolean,
  inDram: ReadonlySet<Root> = new Set(),
): Residency {
  const capacity = target.sram.bytes;
  const spans = spansOf(jobs, npus);
  const banished = new Set<Root>(inDram);
  for (const job of jobs) {
    if (job.kind === "cpu") for (const { root } of [...job.inputs, ...job.outputs]) banished.add(root);
  }
  for (const span of spans.values()) if (alone || alignUp(mostBytes(span), 64) > capacity) banished.add(span.root);
  const isResident = (root: Root) => !banished.has(root);
  for (let limit = capacity; ; ) {
    banish(jobs, npus, spans, banished, limit, target, thrift);
    const kept = [...spans.values()].filter(({ root }) => isResident(root));
    const wanted = jobs.map((job) => wantedBytes(job, isResident, target, thrift));
    let excess = 0;
    for (const rest of REST) {
      const lifetimes = kept.map((span): Lifetime => {
        return { bytes: mostBytes(span), first: span.first, last: Math.min(span.last + rest, jobs.length - 1) };
      });
      // By how much too little is left counts for the last of them only.
      if (rest !== REST[REST.length - 1] && isCrowded(jobs, kept, lifetimes, wanted, capacity)) continue;
      const allocation = allocate(lifetimes, target.sram.alignmentBytes, { limit: target.sram.bytes });
      const tops = topsOf(kept, lifetimes, allocation, jobs.length, npus);
      excess = wanted.reduce((most, bytes, index) => {
        return npusOf(jobs[index]).reduce((worst, npu) => Math.max(worst, tops[npu][index] + bytes - capacity), most);
      }, 0);
      if (excess > 0 && kept.length > 0) continue;
      const resident = new Map(
        kept.map(({ root, first, last, held }, index) => {
          return [root, { first, last, address: allocation.addresses[index], held }] as const;
        }),
      );
      const spills = [...spans.keys()].some((root) => root.kind === "computed" && banished.has(root));
      return { resident, tops, allocation, spills };
    }
    limit -= Math.max(excess, Math.floor(capacity / 64));
  }
}

/** Whether some job finds no room wherever the roots lie: their bytes alone leave too little. */
function isCrowded(
  jobs: readonly Job[],
  kept: readonly Pick<Span, "root" | "held">[],
  lifetimes: readonly Lifetime[],
  wanted: readonly number[],
  capacity: number,
): boolean {
  const live = new Map<number, Float64Array>();
  lifetimes.forEach(({ first, last }, index) => {
    const { root, held } = kept[index];
    for (const [npu, box] of held.entries()) {
      if (!box) continue;
      const own = live.get(npu) ?? new Float64Array(jobs.length);
      live.set(npu, own);
      const bytes = heldBytes(root, box);
      for (let moment = first; moment <= last; moment++) own[moment] += bytes;
    }
  });
  return jobs.some((job, index) => npusOf(job).some((npu) => (live.get(npu)?.[index] ?? 0) + wanted[index] > capacity));
}

/** By NPU and moment: what no root of `kept` reaches. */
export function topsOf(
  kept: readonly (Pick<Resident, "held"> & { readonly root: Root })[],
  lifetimes: readonly Lifetime[],
  { addresses }: Allocation,
  moments: number,
  npus: number,
): Float64Array[] {
  const tops = Array.from({ length: npus }, () => new Float64Array(moments));
  lifetimes.forEach(({ first, last }, index) => {
    const { root, held } = kept[index];
    for (const [npu, box] of held.entries()) {
      if (!box) continue;
      const end = addresses[index] + alignUp(heldBytes(root, box), 64);
      const top = tops[npu];
      for (let moment = first; moment <= last; moment++) top[moment] = Math.max(top[moment], end);
    }
  });
  return tops;
}

function banish(
  jobs: readonly Job[],
  npus: number,
  spans: ReadonlyMap<Root, Span>,
  banished: Set<Root>,
  limit: number,
  target: Target,
  thrift: number,
): void {
  const isResident = (root: Root) => !banished.has(root);
  const kept = [...spans.values()].filter(({ root }) => isResident(root));
  const lives = Array.from({ length: npus }, (_, npu) => {
    const lifetimes = kept.map(({ root, held, first, last }) => {
      return { bytes: alignUp(heldBytes(root, held[npu]), 64), first, last };
    });
    return liveBytes(lifetimes, jobs.length);
  });
  for (let index = 0; index < jobs.length; index++) {
    for (;;) {
      const job = jobs[index];
      const wanted = wantedBytes(job, isResident, target, thrift);
      const [npu, live] = npusOf(job).reduce(
        (most, at) => (lives[at][index] > most[1] ? [at, lives[at][index]] : most),
        [0, 0],
      );
      const excess = live + wanted - limit;
      if (excess <= 0) break;
      const victim = cheapest(spans, banished, index, npu, excess);
      if (victim === undefined) {
        if (wanted <= target.sram.bytes) break;
        refuse(job as TileJob, isResident, target);
        break;
      }
      banished.add(victim.root);
      for (const [at, box] of victim.held.entries()) {
        const bytes = alignUp(heldBytes(victim.root, box), 64);
        for (let moment = victim.first; moment <= victim.last; moment++) lives[at][moment] -= bytes;
      }
    }
  }
}

/** The root whose absence costs the least traffic for each byte that it relieves. */
function cheapest(
  spans: ReadonlyMap<Root, Span>,
  banished: ReadonlySet<Root>,
  index: number,
  npu: number,
  excess: number,
): Span | undefined {
  let best: Span | undefined;
  let bestPrice = Number.POSITIVE_INFINITY;
  for (const span of spans.values()) {
    const bytes = heldBytes(span.root, span.held[npu]);
    if (banished.has(span.root) || bytes === 0 || span.first > index || span.last < index) continue;
    const price = extraTraffic(span) / Math.min(bytes, excess);
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
