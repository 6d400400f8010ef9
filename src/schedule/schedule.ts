import { timeProgram } from "../emulate/timing.ts";
import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import { assemble } from "./assemble.ts";
import { cascadeJobs, withStrips } from "./cascade.ts";
import { OutOfSram } from "./emit.ts";
import { leastAlone } from "./partition/choose.ts";
import { partitionJobs } from "./partition/partition.ts";
import { stageJobs } from "./partition/pipeline.ts";
import { fillPlanned, type Planned, type Prepared, planEntry, prepare, type Thrift } from "./plan.ts";
import type { Program } from "./program.ts";
import { refineEntry } from "./refine.ts";
import { type ScheduleStats, statsOf } from "./stats.ts";
import { Weights } from "./weights.ts";

export interface ScheduleOptions {
  /** Whether ONNX nodes may run on the host. */
  readonly allowCpu?: boolean;
  /** Uses less SRAM than the target has: for a gate on its peak. */
  readonly sramBytes?: number;
  /** Chains of layers in strips: where that is faster, wherever there is room for it, or not at all. */
  readonly cascades?: "faster" | "always" | "never";
  /** How many NPUs share the work; 1 unless said otherwise. */
  readonly npus?: number;
  /** Whether small programs are searched for faster plans: unless said otherwise, or cascades are forced. */
  readonly refined?: boolean;
  /**
   * How they share it: only where that is faster than one alone; in any case, each layer by its parts ("always") or each a
   * stage of the program, which a batch goes through piece by piece ("stages").
   */
  readonly sharing?: Sharing;
}

type Sharing = "faster" | "always" | "stages";

export interface Scheduled {
  readonly program: Program;
  readonly stats: ScheduleStats;
}

/** A graph under the name that callers run it by. */
export interface EntryGraph {
  readonly name: string;
  readonly graph: Graph;
}

/** The graph as a Program with the single entry "main". */
export function schedule(graph: Graph, target: Target, options: ScheduleOptions = {}): Scheduled {
  return scheduleEntries([{ name: "main", graph }], target, options);
}

/** From the fastest to the most modest: the next one is for where fragmentation gets in the way. */
const ATTEMPTS: readonly Thrift[] = [
  { share: 0.9, alone: false },
  { share: 0.6, alone: false },
  { share: 0.4, alone: false },
  { share: 0.25, alone: false },
  { share: 1, alone: true },
];

/**
 * Several graphs in one Program: shape buckets, prefill and decode. Equal constants are stored once; states of one name
 * share one buffer. Throws model/cpu-fallback, model/layer-too-large, model/does-not-fit,
 * model/state-mismatch.
 */
export function scheduleEntries(
  entries: readonly EntryGraph[],
  given: Target,
  options: ScheduleOptions = {},
): Scheduled {
  if ((options.npus ?? 1) > given.npus) {
    throw new CompileError("usage/too-many-npus", `${given.name} has ${given.npus} NPUs, not ${options.npus}`, {
      where: "npus",
      remedy: "ask for no more than the target has",
    });
  }
  const bytes = Math.min(given.sram.bytes, options.sramBytes ?? given.sram.bytes);
  const target: Target = { ...given, sram: { ...given.sram, bytes } };
  const prepared = entries.map((entry) => prepare(entry.name, entry.graph, target, options.allowCpu ?? false));
  return scheduleShared(prepared, target, options);
}

type Shared = ReturnType<typeof partitionJobs>;

function withNpus(prepared: readonly Prepared[], npus: number, shared: readonly Shared[], target: Target): Scheduled {
  const entries = prepared.map((entry, at) => ({ ...entry, npus, transfers: shared[at].transfers }));
  return attempt(entries, target);
}

/** The sum of what is hoped for. */
function hopedOf(shared: readonly Shared[]): number {
  return shared.reduce((sum, { cycles }) => sum + cycles, 0);
}

/** On all NPUs, where that is faster than on one. */
function scheduleShared(prepared: readonly Prepared[], target: Target, options: ScheduleOptions): Scheduled {
  const { npus = 1, sharing = "faster" } = options;
  if (npus === 1) return scheduleAlone(prepared, target, options);
  const stages = (always: boolean) => prepared.map(({ transfers }) => stageJobs(transfers, npus, target, always));
  if (sharing === "stages") return withNpus(prepared, npus, stages(true), target);
  const found = scheduleByLayers(prepared, target, options, npus);
  if (sharing === "always") return found;
  const staged = stages(false);
  // One frame gains nothing by stages.
  if (staged.every(({ pieces }) => pieces === 1)) return found;
  const cycles = cyclesOf(found, target);
  if (hopedOf(staged) >= cycles) return found;
  const piped = ifPossible(() => withNpus(prepared, npus, staged, target));
  return piped && cyclesOf(piped, target) < cycles ? piped : found;
}

/** Each layer shared, or all on one NPU; neither is tried where it cannot be the better one. */
function scheduleByLayers(
  prepared: readonly Prepared[],
  target: Target,
  options: ScheduleOptions,
  npus: number,
): Scheduled {
  const shared = prepared.map(({ transfers }) => partitionJobs(transfers, npus, target));
  const share = () => withNpus(prepared, npus, shared, target);
  if (options.sharing === "always") return share();
  const hoped = hopedOf(shared);
  const least = prepared.reduce((sum, { transfers }) => sum + leastAlone(transfers.jobs, target), 0);
  const first = hoped < least ? share() : undefined;
  if (first && cyclesOf(first, target) <= least) return first;
  const alone = scheduleAlone(prepared, target, options);
  const cycles = cyclesOf(alone, target);
  if (!first && cycles <= hoped) return alone;
  const together = first ?? share();
  return cyclesOf(together, target) < cycles ? together : alone;
}

/** A plan for half the SRAM that is slower by more than this ends the search for better ones below it. */
const WORSE = 1.05;

/**
 * On one NPU. Where tensors do not stay in SRAM, larger tiles overlap less with what comes before and after them: plans for
 * a half, a quarter and so on of the SRAM are tried too, so that more of it never makes a network slower.
 */
function scheduleAlone(prepared: readonly Prepared[], target: Target, options: ScheduleOptions): Scheduled {
  const best = scheduleByRules(prepared, target, options);
  if (!(options.refined ?? options.cascades !== "always")) return best;
  const found = best.prepared.map((entry, at) => {
    const one = { entry, planned: best.planned[at] };
    return refineEntry(one, prepared[at], target, options.cascades !== "never");
  });
  if (found.every(({ planned }, at) => planned === best.planned[at])) return best;
  const weights = new Weights();
  for (const { planned } of found) fillPlanned(planned, weights);
  const refined = built(
    found.map(({ entry }) => entry),
    found.map(({ planned }) => planned),
    weights,
    target,
    true,
  );
  return cyclesOf(refined, target) < cyclesOf(best, target) ? refined : best;
}

function scheduleByRules(prepared: readonly Prepared[], target: Target, options: ScheduleOptions): Built {
  let best = scheduleWithin(prepared, target, options);
  if (!best.spills) return best;
  let least = cyclesOf(best, target);
  for (let bytes = target.sram.bytes / 2; bytes >= LEAST_SRAM; bytes /= 2) {
    const smaller: Target = { ...target, sram: { ...target.sram, bytes: Math.floor(bytes) } };
    const found = scheduleIfPossible(prepared, smaller, options);
    const cycles = found ? cyclesOf(found, target) : Number.POSITIVE_INFINITY;
    if (found && cycles < least) [best, least] = [found, cycles];
    else if (cycles > least * WORSE) break;
  }
  return best;
}

/** Planning for less is not worth a try. */
const LEAST_SRAM = 16 * 1024;

function scheduleIfPossible(prepared: readonly Prepared[], target: Target, options: ScheduleOptions) {
  const allowCpu = options.allowCpu ?? false;
  return ifPossible(() => {
    const again = prepared.map(({ name, graph }) => prepare(name, graph, target, allowCpu));
    return scheduleWithin(again, target, options);
  });
}

function ifPossible<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof CompileError && error.code.startsWith("model/")) return undefined;
    throw error;
  }
}

/** With the SRAM that the target says. */
function scheduleWithin(prepared: readonly Prepared[], target: Target, options: ScheduleOptions): Built {
  const plain = attempt(prepared, target);
  if (!plain.spills || options.cascades === "never") return plain;
  return withCascades(prepared, target).reduce<typeof plain>((best, cascaded) => {
    const found = attempt(cascaded, target);
    const isForced = options.cascades === "always" && best === plain;
    return isForced || cyclesOf(found, target) < cyclesOf(best, target) ? found : best;
  }, plain);
}

function cyclesOf({ program }: Scheduled, target: Target): number {
  return program.entries.reduce((sum, { name }) => sum + timeProgram(program, target, { entry: name }).cycles, 0);
}

/** The entries with chains of layers cut into strips, in some ways. */
function withCascades(prepared: readonly Prepared[], target: Target): (readonly Prepared[])[] {
  const found = prepared.map(({ transfers }) => cascadeJobs(transfers.jobs, target));
  const ways = found.reduce((most, { length }) => Math.max(most, length), 0);
  return Array.from({ length: ways }, (_, way) =>
    prepared.map((entry, index) => {
      const own = found[index].at(Math.min(way, found[index].length - 1));
      return own ? withStrips(entry, own) : entry;
    }),
  );
}

/** A schedule with the plans that it was made from. */
interface Built extends Scheduled {
  readonly prepared: readonly Prepared[];
  readonly planned: readonly Planned[];
  readonly spills: boolean;
}

/** The plans, whose constants are in `weights`, as a program. Throws OutOfSram. */
function built(
  prepared: readonly Prepared[],
  planned: readonly Planned[],
  weights: Weights,
  target: Target,
  prefetch: boolean,
): Built {
  const spills = planned.some(({ residency }) => residency.spills);
  const { program, constantBytes } = assemble(prepared, planned, weights, target, prefetch);
  const placed = prepared.flatMap((entry) => entry.placed);
  const graphs = prepared.map(({ graph }) => graph);
  return { program, stats: statsOf(placed, graphs, program, constantBytes), spills, prepared, planned };
}

/** Throws model/layer-too-large, model/does-not-fit. */
function attempt(prepared: readonly Prepared[], target: Target): Built {
  let short: OutOfSram | undefined;
  for (const thrift of ATTEMPTS) {
    const weights = new Weights();
    try {
      const planned = prepared.map((entry) => planEntry(entry, target, thrift, weights));
      return built(prepared, planned, weights, target, !thrift.alone);
    } catch (error) {
      if (!(error instanceof OutOfSram)) throw error;
      short = error;
    }
  }
  const where = short?.layer ?? "";
  const need = `the layer ${where} finds no room for ${short?.bytes ?? 0} bytes`;
  throw new CompileError("model/does-not-fit", `${need} among its other data in ${target.sram.bytes} bytes of SRAM`, {
    where,
    remedy: "choose a target with more SRAM",
  });
}
