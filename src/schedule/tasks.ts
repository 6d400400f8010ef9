/**
 * AnyPlanned jobs as tasks: every tile, every load and store beside it, with what it costs and what must have ended before.
 * All that the order of a program is chosen by.
 */
import { arrayEdges } from "../emulate/array.ts";
import { burstBytes, dramBytesPerCycle, engineCycles } from "../emulate/cycles.ts";
import type { Target } from "../target/schema.ts";
import { sizedCommand } from "./grid-facts.ts";
import { type CpuJob, inputsOf, type TileJob } from "./job.ts";
import type { Engine } from "./program.ts";
import { heldBytes, type Residency } from "./residency.ts";
import type { AnyPlanned, PlannedJob, StreamItem } from "./stream.ts";
import { type Box, boundsOf, boxesOverlap, boxView, operandOf, type Root, type View } from "./view.ts";

/** One tile (or one call of the host) of the planned jobs: what a program's order is an order of. */
export interface Step {
  /** Index of the planned job. */
  readonly job: number;
  readonly tile: number;
}

export interface Tasks {
  readonly count: number;
  /** What executes each: equal numbers exclude each other. */
  readonly unit: Int32Array;
  readonly cycles: Float64Array;
  /** Cycles after the unit is free again until others may go on. */
  readonly latency: Float64Array;
  readonly before: readonly (readonly number[])[];
  readonly after: readonly (readonly number[])[];
  /** By task: the one of its unit that it comes after for the sake of the order only, whose latency it does not wait for; -1: none. */
  readonly follows?: Int32Array;
  /** The step that a task is; undefined for loads and stores beside one. */
  readonly steps: readonly (Step | undefined)[];
  /** Tensors that lie in SRAM as long as tasks touch them. */
  readonly rooms: readonly Room[];
  /** By task: the rooms that it touches. */
  readonly touches: readonly (readonly number[])[];
}

/** A resident tensor on one NPU. */
interface Room {
  readonly npu: number;
  readonly bytes: number;
}

/** The DRAM serves one transfer at a time; the host is one, too; every NPU has an array and a vector unit. */
const [DRAM, HOST] = [0, 1];

function unitOf(engine: Engine, npu: number): number {
  if (engine === "dma-in" || engine === "dma-out") return DRAM;
  return engine === "cpu" ? HOST : 2 + 2 * npu + (engine === "array" ? 0 : 1);
}

/** A part of a tensor that a task reads or writes. */
export interface Access {
  readonly task: number;
  readonly box: Box;
  readonly write: boolean;
}

/** What one job does to one memory's root: all of it, and piece by piece. */
interface Accesses {
  readonly job: number;
  readonly low: number[];
  readonly high: number[];
  readonly list: Access[];
  writes: boolean;
}

/** By root: who touched it, job by job. SRAM and DRAM are different memories. */
type Touched = Map<Root, Accesses[]>;

interface TileCost {
  readonly cycles: number;
  readonly latency: number;
}

/** The rooms that resident tensors take, and which those of each are. */
export function roomsOf({ resident }: Pick<Residency, "resident">): [Room[], Map<Root, readonly number[]>] {
  const rooms: Room[] = [];
  const byRoot = new Map<Root, readonly number[]>();
  for (const [root, { held }] of resident) {
    const own: number[] = [];
    for (const [npu, box] of held.entries()) {
      if (box) own.push(rooms.push({ npu, bytes: heldBytes(root, box) }) - 1);
    }
    byRoot.set(root, own);
  }
  return [rooms, byRoot];
}

/** The rooms that every tile of a job keeps open. */
export function roomsTouched(job: TileJob, rooms: ReadonlyMap<Root, readonly number[]>): number[] {
  return [...new Set([...inputsOf(job), job.output].flatMap(({ root }) => rooms.get(root) ?? []))];
}

class Builder {
  readonly unit: number[] = [];
  readonly cycles: number[] = [];
  readonly latency: number[] = [];
  readonly before: number[][] = [];
  readonly follows: number[] = [];
  readonly steps: (Step | undefined)[] = [];
  readonly rooms: readonly Room[];
  readonly touches: (readonly number[])[] = [];
  readonly roomsOf: ReadonlyMap<Root, readonly number[]>;
  readonly sram: Touched = new Map();
  readonly dram: Touched = new Map();
  private readonly loads = new Map<StreamItem, number>();
  private readonly target: Target;
  private readonly perCycle: number;

  constructor(residency: Pick<Residency, "resident">, target: Target) {
    [this.rooms, this.roomsOf] = roomsOf(residency);
    this.target = target;
    this.perCycle = dramBytesPerCycle(target);
  }

  private task(
    unit: number,
    cycles: number,
    before: number[],
    step?: Step,
    touches: readonly number[] = [],
    latency = unit === DRAM ? this.target.dma.latencyCycles : 0,
  ): number {
    this.unit.push(unit);
    this.cycles.push(cycles);
    this.latency.push(latency);
    this.before.push(before);
    this.follows.push(-1);
    this.steps.push(step);
    this.touches.push(touches);
    return this.unit.length - 1;
  }

  /** Of the DRAM, which moves whole bursts. */
  private busCycles(view: View): number {
    return Math.ceil(burstBytes(operandOf(view, "dram", 0), this.target) / this.perCycle);
  }

  /** Adds to `before` whom an access must wait for, and remembers it once its task is known. */
  private touch(memory: Touched, job: number, view: View, write: boolean, before: Set<number>): (task: number) => void {
    const box = boundsOf(view);
    const lists = memory.get(view.root) ?? [];
    memory.set(view.root, lists);
    for (const other of lists) {
      if (!write && !other.writes) continue;
      if (box.start.some((at, axis) => at >= other.high[axis] || other.low[axis] >= at + box.size[axis])) continue;
      for (const access of other.list) {
        if ((write || access.write) && boxesOverlap(access.box, box)) before.add(access.task);
      }
    }
    return (task) => {
      let own = lists.at(-1);
      if (own?.job !== job) {
        own = { job, low: [...box.start], high: [...box.start], list: [], writes: false };
        lists.push(own);
      }
      box.start.forEach((at, axis) => {
        own.low[axis] = Math.min(own.low[axis], at);
        own.high[axis] = Math.max(own.high[axis], at + box.size[axis]);
      });
      own.writes ||= write;
      own.list.push({ task, box, write });
    };
  }

  private load(item: StreamItem, job: number): number {
    const known = this.loads.get(item.mates?.[0] ?? item);
    if (known !== undefined) return known;
    const before = new Set<number>();
    const reach = item.view && item.box && this.touch(this.dram, job, boxView(item.view, item.box), false, before);
    const view = item.view && item.box && boxView(item.view, item.box);
    const cycles = view ? this.busCycles(view) : Math.ceil(item.bytes / this.perCycle);
    const task = this.task(DRAM, cycles, [...before]);
    reach?.(task);
    this.loads.set(item.mates?.[0] ?? item, task);
    return task;
  }

  job(planned: PlannedJob, at: number): void {
    const { job, places, tiles } = planned;
    // Staged blocks are shared by neighbours in the loop order: it stays as it is.
    const chained = planned.items.some(({ kind }) => kind !== "package");
    const costs = new Map<string, TileCost>();
    const touched = roomsTouched(job, this.roomsOf);
    let last: number | undefined;
    tiles.forEach(({ box, needs, items, output }, number) => {
      const before = new Set<number>();
      for (const item of items) if (item) before.add(this.load(item, at));
      const reaches = job.inputs.flatMap((view, index) => {
        const need = needs[index];
        const place = places.inputs[index];
        if (!view || !need || view.root.kind === "constant" || (place !== "sram" && place !== "direct")) return [];
        return [this.touch(place === "direct" ? this.dram : this.sram, at, boxView(view, need), false, before)];
      });
      const result = boxView(job.output, box);
      if (!output) {
        reaches.push(this.touch(places.output === "direct" ? this.dram : this.sram, at, result, true, before));
      }
      const follows = chained && last !== undefined && !before.has(last) ? last : -1;
      if (follows >= 0) before.add(follows);
      const { cycles, latency } = this.tileCost(job, box, needs, costs);
      const unit = unitOf(job.engine, job.npu ?? 0);
      const task = this.task(unit, cycles, [...before], { job: at, tile: number }, touched, latency);
      this.follows[task] = follows;
      for (const reach of reaches) reach(task);
      // The block is loaded no later than just before its tile: who overwrites its source comes after the tile.
      for (const item of items)
        if (item?.view && item.box) this.touch(this.dram, at, boxView(item.view, item.box), false, new Set())(task);
      last = task;
      if (!output) return;
      const stored = new Set([task]);
      const reach = this.touch(this.dram, at, result, true, stored);
      reach(this.task(DRAM, this.busCycles(result), [...stored]));
    });
  }

  /** Tiles of the same sizes cost the same. The last codes of the array are stored when it goes on already. */
  private tileCost(
    job: TileJob,
    box: Box,
    needs: readonly (Box | undefined)[],
    known: Map<string, TileCost>,
  ): TileCost {
    const { target } = this;
    if (job.engine === "dma-in" || job.engine === "dma-out") {
      const [source] = job.inputs;
      const [need] = needs;
      const isRead = job.engine === "dma-in" && job.inputs.length === 1 && source && need;
      const cycles = this.busCycles(isRead ? boxView(source, need) : boxView(job.output, box));
      return { cycles, latency: target.dma.latencyCycles };
    }
    const key = `${box.size} ${needs[0]?.size}`;
    const found = known.get(key);
    if (found) return found;
    const command = sizedCommand(job, box);
    const edges = arrayEdges(command, target);
    const latency = edges ? Math.min(edges.reduction, edges.drain) : 0;
    const cost = { cycles: engineCycles(command, target) + target.issueCycles, latency };
    known.set(key, cost);
    return cost;
  }

  cpu(job: CpuJob, at: number): void {
    const before = new Set<number>();
    const reaches = [
      ...job.inputs.flatMap((view) =>
        view.root.kind === "constant" ? [] : [this.touch(this.dram, at, view, false, before)],
      ),
      ...job.outputs.map((view) => this.touch(this.dram, at, view, true, before)),
    ];
    const task = this.task(HOST, this.target.cpu.callCycles, [...before], { job: at, tile: 0 });
    for (const reach of reaches) reach(task);
  }
}

/** The tasks of one job as if there were no other, numbered from 0. */
export interface JobTasks {
  readonly unit: readonly number[];
  readonly cycles: readonly number[];
  readonly latency: readonly number[];
  readonly before: readonly (readonly number[])[];
  readonly follows: readonly number[];
  readonly steps: readonly (Step | undefined)[];
  /** What they read and write in SRAM, and in DRAM. */
  readonly sram: ReadonlyMap<Root, readonly Access[]>;
  readonly dram: ReadonlyMap<Root, readonly Access[]>;
}

/** Of the job that stands at `planned.index` of its plan. */
export function tasksOfJob(planned: PlannedJob, target: Target): JobTasks {
  const builder = new Builder({ resident: new Map() }, target);
  builder.job(planned, planned.index);
  const accesses = (touched: Touched) =>
    new Map([...touched].map(([root, lists]) => [root, lists.flatMap(({ list }) => list)] as const));
  const { unit, cycles, latency, before, follows, steps } = builder;
  return { unit, cycles, latency, before, follows, steps, sram: accesses(builder.sram), dram: accesses(builder.dram) };
}

/** The tasks of planned jobs, in program order: whatever a task waits for has a smaller number. */
export function tasksOf(jobs: readonly AnyPlanned[], residency: Residency, target: Target): Tasks {
  const builder = new Builder(residency, target);
  jobs.forEach((planned, index) => {
    if ("tiles" in planned) builder.job(planned, index);
    else builder.cpu(planned.job, index);
  });
  const count = builder.unit.length;
  const after: number[][] = Array.from({ length: count }, () => []);
  builder.before.forEach((list, task) => {
    for (const other of list) after[other].push(task);
  });
  return {
    count,
    unit: Int32Array.from(builder.unit),
    cycles: Float64Array.from(builder.cycles),
    latency: Float64Array.from(builder.latency),
    before: builder.before,
    after,
    steps: builder.steps,
    rooms: builder.rooms,
    touches: builder.touches,
  };
}
