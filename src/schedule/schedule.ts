import { timeProgram } from "../emulate/timing.ts";
import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import { assemble } from "./assemble.ts";
import { cascadeJobs } from "./cascade.ts";
import { OutOfSram } from "./emit.ts";
import { partitionJobs } from "./partition/partition.ts";
import { type Prepared, planEntry, prepare, type Thrift } from "./plan.ts";
import type { Program } from "./program.ts";
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
  /** Whether they share it only where that is faster than one alone; "always" is for tests. */
  readonly sharing?: "faster" | "always";
}

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
  const bytes = Math.min(given.sram.bytes, options.sramBytes ?? given.sram.bytes);
  const target: Target = { ...given, sram: { ...given.sram, bytes } };
  const prepared = entries.map((entry) => prepare(entry.name, entry.graph, target, options.allowCpu ?? false));
  return withNpus(prepared, scheduleAlone(prepared, target, options), target, options);
}

/** On all NPUs, where that is faster than `alone`. */
function withNpus(
  prepared: readonly Prepared[],
  alone: Scheduled,
  target: Target,
  { npus = 1, sharing = "faster" }: ScheduleOptions,
): Scheduled {
  if (npus <= 1) return alone;
  let [best, cycles] = [alone, sharing === "always" ? Number.POSITIVE_INFINITY : cyclesOf(alone, target)];
  for (const weight of TRAFFIC_WEIGHTS) {
    const shared = prepared.map((entry) => {
      return { ...entry, npus, transfers: partitionJobs(entry.transfers, npus, target, weight) };
    });
    const found = attempt(shared, target);
    const own = cyclesOf(found, target);
    if (own < cycles) [best, cycles] = [found, own];
  }
  return best;
}

/** On one NPU. */
function scheduleAlone(prepared: readonly Prepared[], target: Target, options: ScheduleOptions): Scheduled {
  const plain = attempt(prepared, target);
  if (!plain.spills || options.cascades === "never") return plain;
  return withCascades(prepared, target).reduce<Scheduled>((best, cascaded) => {
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
      return own ? { ...entry, transfers: { ...entry.transfers, jobs: own.jobs }, inDram: own.inDram } : entry;
    }),
  );
}

/** Throws model/layer-too-large, model/does-not-fit. */
function attempt(prepared: readonly Prepared[], target: Target): Scheduled & { readonly spills: boolean } {
  let short: OutOfSram | undefined;
  for (const thrift of ATTEMPTS) {
    const weights = new Weights();
    try {
      const planned = prepared.map((entry) => planEntry(entry, target, thrift, weights));
      const spills = planned.some(({ residency }) => residency.spills);
      const { program, constantBytes } = assemble(prepared, planned, weights, target, !thrift.alone);
      const placed = prepared.flatMap((entry) => entry.placed);
      const graphs = prepared.map(({ graph }) => graph);
      return { program, stats: statsOf(placed, graphs, program, constantBytes), spills };
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

/** Prices of DRAM traffic against work for which a partition is tried. */
const TRAFFIC_WEIGHTS = [0.3, 1];
