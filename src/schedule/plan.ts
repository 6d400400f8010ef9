/** From a graph to planned jobs: placement, mappings, residency, tiles. */
import type { Graph } from "../ir/graph.ts";
import { type Placed, placement } from "../target/placement.ts";
import type { Target } from "../target/schema.ts";
import { balancedShares, type Trial } from "./balance.ts";
import { OutOfSram } from "./emit.ts";
import { finestGrid, memoryOf, type Places } from "./grid.ts";
import type { CpuJob, Job, TileJob } from "./job.ts";
import { type Lowered, lowerGraph } from "./lower.ts";
import { type Divisible, divisibleLayers, mappingsOf } from "./mapping.ts";
import { readNibbles } from "./nibbles.ts";
import { bestSequence, type Sequence } from "./order.ts";
import { packWeights } from "./packed.ts";
import { likeProducer, type ProducerGrids, recordGrid } from "./pipeline.ts";
import type { Engine } from "./program.ts";
import { chooseResidents, isIdle, placesOf, type Residency, tooLarge } from "./residency.ts";
import { fillPackages, joinPackages, type PlannedJob, planJob } from "./stream.ts";
import { type Step, tasksOf } from "./tasks.ts";
import { chooseGrid, type GridMemo } from "./tile.ts";
import { addTransfers, type Transfers } from "./transfers.ts";
import { type Root, wholeBox } from "./view.ts";
import type { Weights } from "./weights.ts";

/** How SRAM is planned. */
export interface Thrift {
  /** Of the free SRAM that tiles may plan with. */
  readonly share: number;
  /** A tile at a time: nothing stays in SRAM and nothing is loaded ahead. */
  readonly alone: boolean;
}

/** An entry as jobs. */
export interface Prepared {
  readonly name: string;
  readonly graph: Graph;
  readonly placed: readonly Placed[];
  readonly lowered: Lowered;
  readonly transfers: Transfers;
  readonly npus: number;
  /** Tensors that must not stay in SRAM. */
  readonly inDram?: ReadonlySet<Root>;
  /** With its divisible layers in other parts on array and vector unit: in quarters of the channels. */
  readonly divided?: () => Prepared[];
}

/** The graph as jobs, loads and stores among them, all on one NPU. Throws model/cpu-fallback. */
export function prepare(name: string, given: Graph, target: Target, allowCpu: boolean): Prepared {
  const { graph, placed } = readNibbles(packWeights(given, placement(given, target, { allowCpu }), target), target);
  const first = lowerGraph(graph, placed, new Map());
  const layers = divisibleLayers(graph, (node) => wholeCommand(first.byNode.get(node)?.[0]), target);
  const entryOf = (lowered: Lowered): Prepared => {
    return { name, graph, placed, lowered, transfers: addTransfers(graph, lowered, target.sram.bytes), npus: 1 };
  };
  if (layers.length === 0) return entryOf(first);
  const divided = (shares: readonly number[]) => entryOf(lowerGraph(graph, placed, mappingsOf(layers, shares)));
  const memo: GridMemo = new Map();
  const others = () => quartersOf(layers).map(divided);
  try {
    const shares = balancedShares(layers, (trial) => trialOf(divided(trial), layers, target, memo));
    return { ...divided(shares), divided: others };
  } catch (error) {
    if (!(error instanceof OutOfSram)) throw error;
    return { ...divided(layers.map(({ share }) => share)), divided: others };
  }
}

/**
 * Quarters of the channels for the vector unit, of those layers that it can do: every combination for one or two of them, the same of
 * all for more.
 */
function quartersOf(layers: readonly Divisible[]): number[][] {
  const quarters = [0, 1, 2, 3, 4];
  const able = layers.filter(({ vectorCycles }) => Number.isFinite(vectorCycles));
  const of = (partOf: (at: number) => number) =>
    layers.map((layer) => (able.includes(layer) ? (layer.channels * partOf(able.indexOf(layer))) / 4 : 0));
  if (able.length === 0) return [];
  if (able.length !== 2) return quarters.map((part) => of(() => part));
  return quarters.flatMap((first) => quarters.map((second) => of((at) => (at === 0 ? first : second))));
}

/** The entry's order if it has the SRAM for itself. */
function trialOf(entry: Prepared, layers: readonly Divisible[], target: Target, memo: GridMemo): Trial {
  const { jobs, residency } = planEntry(entry, target, { share: 0.9, alone: false }, undefined, memo);
  const sequence = bestSequence(tasksOf(jobs, residency, target), target.sram.bytes);
  const layerOf = new Map<Job, number>();
  for (const [at, { node }] of layers.entries())
    for (const job of entry.lowered.byNode.get(node) ?? []) layerOf.set(job, at);
  const jobOf = ({ job }: Step): Job => jobs[job].job;
  return {
    sequence,
    engines: sequence.steps.map((step) => engineOf(jobOf(step))),
    layers: sequence.steps.map((step) => layerOf.get(jobOf(step))),
  };
}

function engineOf(job: Job): Engine {
  return job.kind === "cpu" ? "cpu" : job.engine;
}

/** The layer of a Conv node as one command without addresses. */
function wholeCommand(job: Job | undefined) {
  if (job?.kind !== "tile") return undefined;
  const box = wholeBox(job.output.shape);
  const operand = (view: TileJob["output"]) =>
    ({ space: "sram", address: 0, dtype: view.root.dtype, shape: view.shape, strides: view.strides }) as const;
  return job.command(
    box,
    job.inputs.map((view) => view && operand(view)),
    operand(job.output),
  );
}

/** Its jobs as tiles. */
export interface Planned {
  readonly jobs: readonly (PlannedJob | { readonly job: CpuJob })[];
  readonly residency: Residency;
  /** Stores that are not needed, since the value is computed in the port's memory. */
  readonly merged: ReadonlyMap<Root, Root>;
  /** The order of all tiles, where a better one is known than the scheduler finds by rules. */
  readonly sequence?: Sequence;
  /** Whether tensors that stay keep their bytes to themselves where there is the room. */
  readonly apart?: boolean;
}

/** What stays in SRAM, before any job has its tiles. */
export interface Frame {
  readonly residency: Residency;
  readonly merged: Planned["merged"];
  /** By job: where its operands are; undefined for jobs without work, and those of the host. */
  readonly places: readonly (Places | undefined)[];
}

/** Chooses what stays in SRAM. Throws model/layer-too-large. */
export function frameOf(
  { transfers: { jobs, inPlace }, npus, inDram }: Prepared,
  target: Target,
  { share, alone }: Thrift,
  also: ReadonlySet<Root> = new Set(),
): Frame {
  // Strips of a cascade pass from the array to the units behind it even where nothing else may stay.
  const nothing = alone || (target.sram.keeps === "operands" && inDram === undefined);
  const residency = chooseResidents(jobs, npus, target, share, nothing, new Set([...(inDram ?? []), ...also]));
  const isResident = (root: Root) => residency.resident.has(root);
  const merged = new Map<Root, Root>();
  const skipped = new Set<Job>();
  for (const [root, { port, jobs: stores }] of inPlace) {
    if (isResident(root)) continue;
    merged.set(root, port);
    for (const store of stores) skipped.add(store);
  }
  const places = jobs.map((job) => {
    const works = job.kind !== "cpu" && !skipped.has(job) && !isIdle(job, isResident);
    return works ? placesOf(job, isResident) : undefined;
  });
  return { residency, merged, places };
}

/** A job that has no work to do. */
export function idleJob(job: TileJob, index: number, { residency }: Frame): PlannedJob {
  const places = placesOf(job, (root) => residency.resident.has(root));
  return { job, index, grid: [], places, tiles: [], items: [] };
}

/** Chooses what stays in SRAM, and each job's tiles. Without `weights`, for a trial. Throws OutOfSram, model/layer-too-large. */
export function planEntry(
  entry: Prepared,
  target: Target,
  thrift: Thrift,
  weights: Weights | undefined,
  memo: GridMemo = new Map(),
): Planned {
  const { jobs } = entry.transfers;
  const frame = frameOf(entry, target, thrift);
  const { residency, merged } = frame;
  const { share } = thrift;
  const producers: ProducerGrids = new Map();
  const planned = jobs.map((job, index) => {
    if (job.kind === "cpu") return { job };
    const places = frame.places[index];
    if (!places) return idleJob(job, index, frame);
    const free = target.sram.bytes - residency.tops[job.npu ?? 0][index];
    const like = likeProducer(job, producers);
    const found =
      chooseGrid(job, places, Math.floor(free * share), like, target, memo) ??
      chooseGrid(job, places, free, like, target, memo);
    const { grid, hold } = found ?? refuse(job, places, target);
    recordGrid(job, grid, producers);
    return planJob(job, index, grid, places, hold);
  });
  const result = { jobs: planned, residency, merged };
  if (weights) fillPlanned(result, weights);
  return result;
}

/** Puts the constants of a plan into the weights section. */
export function fillPlanned({ jobs }: Planned, weights: Weights): void {
  const tiled = jobs.flatMap((one) => ("items" in one ? [one] : []));
  for (const one of tiled) fillPackages(one, weights);
  joinPackages(tiled);
}

function refuse(job: TileJob, places: PlannedJob["places"], target: Target): never {
  const least = memoryOf(job, places, finestGrid(job), target).single;
  if (least > target.sram.bytes) return tooLarge(job, least, target);
  throw new OutOfSram(job.name, least);
}
