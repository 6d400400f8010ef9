import { bug, CompileError } from "../error.ts";
import { elementCount, type Graph, typeOf } from "../ir/graph.ts";
import { bytesOf } from "../ir/tensor.ts";
import { type Placed, placement } from "../target/placement.ts";
import type { Target } from "../target/schema.ts";
import { alignUp } from "./allocate.ts";
import { type Emitted, emit, OutOfSram } from "./emit.ts";
import { finestGrid, type Grid, memoryOf } from "./grid.ts";
import type { CpuJob, Job, TileJob } from "./job.ts";
import { type Lowered, lowerGraph } from "./lower.ts";
import { chooseMappings } from "./mapping.ts";
import { likeProducer, type ProducerGrids, readByChannel, recordGrid } from "./pipeline.ts";
import {
  type Entry,
  type EntryPlan,
  type Port,
  type PortQuant,
  type Program,
  STORAGE_BYTES,
  type StateBuffer,
} from "./program.ts";
import { chooseResidents, isIdle, placesOf, type Residency, tooLarge } from "./residency.ts";
import { storageOf } from "./roots.ts";
import { type ScheduleStats, statsOf } from "./stats.ts";
import { joinPackages, type PlannedJob, planJob } from "./stream.ts";
import { chooseGrid, type GridMemo } from "./tile.ts";
import { addTransfers, type Transfers } from "./transfers.ts";
import { type Root, wholeBox } from "./view.ts";
import { Weights } from "./weights.ts";

export interface ScheduleOptions {
  /** Whether ONNX nodes may run on the host. */
  readonly allowCpu?: boolean;
  /** Uses less SRAM than the target has: for a gate on its peak. */
  readonly sramBytes?: number;
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

/** How SRAM is planned. */
interface Thrift {
  /** Of the free SRAM that tiles may plan with. */
  readonly share: number;
  /** A tile at a time: nothing stays in SRAM and nothing is loaded ahead. */
  readonly alone: boolean;
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
  const prepared = entries.map((entry) => prepare(entry, target, options));
  let short: OutOfSram | undefined;
  for (const thrift of ATTEMPTS) {
    const weights = new Weights();
    try {
      const planned = prepared.map((entry) => planEntry(entry, target, thrift, weights));
      return assemble(prepared, planned, weights, target, !thrift.alone);
    } catch (error) {
      if (!(error instanceof OutOfSram)) throw error;
      short = error;
    }
  }
  const where = short?.layer ?? "";
  const need = `the layer ${where} finds no room for ${short?.bytes ?? 0} bytes`;
  throw new CompileError("model/does-not-fit", `${need} among its other data in ${bytes} bytes of SRAM`, {
    where,
    remedy: "choose a target with more SRAM",
  });
}

interface Prepared {
  readonly name: string;
  readonly graph: Graph;
  readonly placed: readonly Placed[];
  readonly lowered: Lowered;
  readonly transfers: Transfers;
  readonly npus: number;
}

function prepare({ name, graph }: EntryGraph, target: Target, { allowCpu }: ScheduleOptions): Prepared {
  const placed = placement(graph, target, { allowCpu: allowCpu ?? false });
  const first = lowerGraph(graph, placed, new Map());
  const mappings = chooseMappings(graph, (node) => wholeCommand(first.byNode.get(node)?.[0]), target);
  const lowered = mappings.size === 0 ? first : lowerGraph(graph, placed, mappings);
  return { name, graph, placed, lowered, transfers: addTransfers(graph, lowered, target.sram.bytes), npus: 1 };
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

interface Planned {
  readonly jobs: readonly (PlannedJob | { readonly job: CpuJob })[];
  readonly residency: Residency;
  /** Stores that are not needed, since the value is computed in the port's memory. */
  readonly merged: ReadonlyMap<Root, Root>;
}

function planEntry({ transfers, npus }: Prepared, target: Target, { share, alone }: Thrift, weights: Weights): Planned {
  const { jobs, inPlace } = transfers;
  const residency = chooseResidents(jobs, npus, target, share, alone);
  const isResident = (root: Root) => residency.resident.has(root);
  const merged = new Map<Root, Root>();
  const skipped = new Set<Job>();
  for (const [root, { port, job }] of inPlace) {
    if (isResident(root)) continue;
    merged.set(root, port);
    skipped.add(job);
  }
  const producers: ProducerGrids = new Map();
  const followed = readByChannel(jobs);
  const memo: GridMemo = new Map();
  const planned = jobs.map((job, index) => {
    if (job.kind === "cpu") return { job };
    const places = placesOf(job, isResident);
    if (skipped.has(job) || isIdle(job, isResident)) return { job, index, grid: [], places, tiles: [], items: [] };
    const free = target.sram.bytes - residency.tops[job.npu ?? 0][index];
    const like = likeProducer(job, producers);
    const byChannel = job.engine === "array" && followed.has(job.output.root);
    const found =
      chooseGrid(job, places, Math.floor(free * share), like, byChannel, target, memo) ??
      chooseGrid(job, places, free, like, byChannel, target, memo);
    const grid: Grid = found?.grid ?? refuse(job, places, target);
    recordGrid(job, grid, producers);
    return planJob(job, index, grid, places, weights);
  });
  joinPackages(planned.flatMap((one) => ("items" in one ? [one] : [])));
  return { jobs: planned, residency, merged };
}

function refuse(job: TileJob, places: PlannedJob["places"], target: Target): never {
  const least = memoryOf(job, places, finestGrid(job), target).single;
  if (least > target.sram.bytes) return tooLarge(job, least, target);
  throw new OutOfSram(job.name, least);
}

/** Hands out DRAM behind the weights. */
class DramMap {
  private next: number;
  private readonly addresses = new Map<Root, number>();
  private readonly weights: Weights;

  constructor(weights: Weights, first: number) {
    this.weights = weights;
    this.next = first;
  }

  get end(): number {
    return this.next;
  }

  place(root: Root, address = this.next): number {
    this.addresses.set(root, address);
    if (address === this.next) this.next = alignUp(this.next + root.bytes, 64);
    return address;
  }

  address(root: Root): number {
    if (root.kind === "constant") return this.weights.add(root.data ?? bug(`${root.name} has no codes`));
    return this.addresses.get(root) ?? this.place(root);
  }
}

function quantOf(graph: Graph, name: string): PortQuant | undefined {
  const quant = typeOf(graph, name)?.quant;
  if (!quant) return undefined;
  const { scale, zeroPoint, axis } = quant;
  return { scale: [...scale], zeroPoint: [...zeroPoint], ...(axis === undefined ? {} : { axis }) };
}

function portOf(graph: Graph, name: string, address: number): Port {
  const quant = quantOf(graph, name);
  return { name, ...storageOf(typeOf(graph, name), name), ...(quant ? { quant } : {}), address };
}

/** Constants that commands reach in DRAM directly must be in the section before addresses behind it are fixed. */
function addDirectConstants(planned: readonly Planned[], weights: Weights): void {
  for (const { jobs } of planned) {
    for (const { job } of jobs) {
      const direct =
        job.kind === "cpu" ? job.inputs : job.direct?.input === undefined ? [] : [job.inputs[job.direct.input]];
      for (const view of direct) if (view?.root.kind === "constant" && view.root.data) weights.add(view.root.data);
    }
  }
}

function assemble(
  prepared: readonly Prepared[],
  planned: readonly Planned[],
  weights: Weights,
  target: Target,
  prefetch: boolean,
): Scheduled {
  addDirectConstants(planned, weights);
  const weightBytes = weights.byteLength;
  const inits = new Map(
    prepared.flatMap(({ graph }) =>
      graph.states.map((state) => [state.input, weights.add(bytesOf(state.init))] as const),
    ),
  );
  const dram = new DramMap(weights, alignUp(weights.byteLength, 64));
  const states = placeStates(prepared, inits, dram);
  const entries: Entry[] = [];
  const plan: EntryPlan[] = [];
  const emitted: Emitted[] = [];
  prepared.forEach(({ name, graph, lowered, transfers, npus }, index) => {
    const { jobs, residency, merged } = planned[index];
    const fedInputs = new Map(graph.states.map(({ input }) => [input, states.get(input)]));
    const fedOutputs = new Map(graph.states.map(({ input, output }) => [output, states.get(input)]));
    for (const [input, root] of lowered.inputs) dram.place(root, fedInputs.get(input)?.address);
    for (const root of transfers.ports.values()) dram.place(root);
    for (const [root, port] of merged) dram.place(root, dram.address(port));
    const dramAddress = (root: Root) => dram.address(root);
    const { alignmentBytes } = target.sram;
    const sramBytes = usefulBytes(jobs, residency, target);
    const result = emit({ jobs, npus, residency, sramBytes, alignment: alignmentBytes, dramAddress, prefetch });
    emitted.push(result);
    const inputs = graph.inputs
      .filter((input) => !fedInputs.has(input))
      .map((input) => portOf(graph, input, dram.address(lowered.inputs.get(input) ?? bug(input))));
    const outputs = [...new Set(graph.outputs)].map((output) => {
      const port = transfers.ports.get(output);
      return portOf(
        graph,
        output,
        fedOutputs.get(output)?.address ?? dram.address(port ?? bug(`no port for ${output}`)),
      );
    });
    entries.push({ name, inputs, outputs, commands: result.commands });
    plan.push({
      name,
      sramPeakBytes: result.sramPeakBytes,
      sramLowerBoundBytes: residency.allocation.lowerBoundBytes,
      buffers: result.buffers,
    });
  });
  const program: Program = {
    name: prepared[0]?.graph.name ?? "",
    target: target.name,
    npus: prepared.reduce((most, { npus }) => Math.max(most, npus), 1),
    weightBytes: weights.byteLength,
    sramBytes: stagingBytes(target.sram),
    dramBytes: dram.end,
    weights: weights.bytes(),
    states: [...states.values()],
    entries,
    plan,
  };
  return {
    program,
    stats: statsOf(
      prepared.flatMap(({ placed }) => placed),
      prepared.map(({ graph }) => graph),
      program,
      weightBytes,
    ),
  };
}

/** Where SRAM keeps operands only, results leave through a buffer of their own: the machine gets one as large again. */
function stagingBytes({ bytes, keeps }: Target["sram"]): number {
  return keeps === "operands" ? 2 * bytes : bytes;
}

/** With this much, whatever streams could lie side by side: more SRAM would only spread it. */
function usefulBytes(jobs: Planned["jobs"], { tops }: Residency, { sram }: Target): number {
  let bytes = tops.reduce((most, top) => top.reduce((high, end) => Math.max(high, end), most), 0);
  for (const planned of jobs) {
    if ("items" in planned) for (const item of planned.items) bytes += alignUp(item.bytes, sram.alignmentBytes);
  }
  return Math.min(bytes, stagingBytes(sram));
}

function placeStates(
  prepared: readonly Prepared[],
  inits: ReadonlyMap<string, number>,
  dram: DramMap,
): Map<string, StateBuffer> {
  const states = new Map<string, StateBuffer>();
  for (const { graph } of prepared) {
    for (const { input, output } of graph.states) {
      const { dtype, shape } = storageOf(typeOf(graph, input), input);
      const known = states.get(input);
      if (known && (known.dtype !== dtype || String(known.shape) !== String(shape))) {
        throw new CompileError(
          "model/state-mismatch",
          `the state "${input}" is ${known.dtype}[${known.shape}] in one entry and ${dtype}[${shape}] in another`,
          { where: input },
        );
      }
      if (known) continue;
      const bytes = elementCount(shape) * STORAGE_BYTES[dtype];
      const address = dram.place({ name: input, dtype, shape, bytes, kind: "state" });
      const quant = quantOf(graph, input);
      states.set(input, {
        input,
        output,
        dtype,
        shape,
        ...(quant ? { quant } : {}),
        address,
        init: inits.get(input) ?? bug(input),
      });
    }
  }
  return states;
}
