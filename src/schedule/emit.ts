/** Planned jobs in the order chosen → commands: addresses, loads ahead of their use, and the waits that keep the order. */
import type { Work } from "../emulate/simulate.ts";
import { bug } from "../error.ts";
import { Clock } from "./clock.ts";
import { Arena, laneOf, lanesOf, nobody, type Region, TrackedBuffer, waitsOf } from "./hazards.ts";
import { Heap, takeCommon } from "./heap.ts";
import { type CpuJob, npusOf } from "./job.ts";
import type { Command, CommandBody, Operand, PlannedBuffer } from "./program.ts";
import { STORAGE_BYTES } from "./program.ts";
import { heldBytes, type Residency, type Resident } from "./residency.ts";
import type { AnyPlanned, PlannedJob, StreamItem, Tile } from "./stream.ts";
import { loadsOf, RangeMaximum, type Streamed, streamOf } from "./streamed.ts";
import type { Step } from "./tasks.ts";
import { boundsOf, boxView, compactOperand, extentOf, heldOperand, operandOf, type Root, type View } from "./view.ts";

/** The current tile found no room although the plan promised it: the caller plans with more thrift. */
export class OutOfSram extends Error {
  readonly layer: string;
  readonly bytes: number;

  constructor(layer: string, bytes: number) {
    super(`no room for ${bytes} bytes of ${layer}`);
    this.layer = layer;
    this.bytes = bytes;
  }
}

export interface EmitInput {
  readonly jobs: readonly AnyPlanned[];
  /** All tiles of all jobs; whatever one depends on comes before it. */
  readonly steps: readonly Step[];
  readonly npus: number;
  /** In moments that are positions in `steps`. */
  readonly residency: Residency;
  readonly sramBytes: number;
  readonly alignment: number;
  /** Whether blocks are loaded ahead of their tile. */
  readonly prefetch: boolean;
  /** Cycles by which loads are issued before the work that they lie ahead of ends. */
  readonly lead: number;
  /** What a command asks of its engine and of the DRAM. */
  readonly workOf: (command: Command) => Work;
  /** DRAM address of a root that has one. */
  readonly dramAddress: (root: Root) => number;
}

export interface Emitted {
  readonly commands: readonly Command[];
  readonly buffers: readonly PlannedBuffer[];
  readonly sramPeakBytes: number;
}

interface Block {
  readonly address: number;
  readonly buffer: TrackedBuffer;
}

/** An NPU while its commands are emitted. */
interface Chip {
  readonly npu: number;
  readonly arena: Arena;
  readonly heap: Heap;
  readonly residents: Map<Root, TrackedBuffer>;
  /** All items of its jobs in the order of their first use; `next` is the first that is not loaded yet. */
  readonly stream: readonly Streamed[];
  next: number;
  /** Steps whose own command reads DRAM into its SRAM: what is used after the next one of them is loaded after it. */
  readonly loads: readonly number[];
  nextLoad: number;
  readonly tops: RangeMaximum;
}

interface Touch {
  readonly buffer: TrackedBuffer;
  readonly region: Region;
  readonly write: boolean;
}

class Emitter {
  private readonly input: EmitInput;
  private readonly commands: Command[] = [];
  private readonly lanes: number;
  private readonly clock: Clock;
  private readonly chips: readonly Chip[];
  private readonly blocks = new Map<StreamItem, Block>();
  private readonly done = new Set<StreamItem>();
  private readonly dram = new Map<Root, TrackedBuffer>();
  private readonly buffers: PlannedBuffer[] = [];
  private readonly uses = new Map<StreamItem, Streamed>();
  /** By step: the resident roots whose life begins, and ends, with it. */
  private readonly born: [Root, Resident][][];
  private readonly dying: [Root, Resident][][];

  constructor(input: EmitInput) {
    const { jobs, steps, residency } = input;
    this.input = input;
    this.lanes = lanesOf(input.npus);
    this.clock = new Clock(this.lanes);
    const stream = streamOf(jobs, steps);
    for (const streamed of stream) this.uses.set(streamed.item, streamed);
    this.chips = Array.from({ length: input.npus }, (_, npu) => ({
      npu,
      arena: new Arena(this.lanes),
      heap: new Heap(input.sramBytes, input.alignment),
      residents: new Map(),
      stream: stream.filter(({ item }) => this.npuOf(item) === npu),
      next: 0,
      loads: loadsOf(jobs, steps, npu),
      nextLoad: 0,
      tops: new RangeMaximum(residency.tops[npu]),
    }));
    this.born = steps.map(() => []);
    this.dying = steps.map(() => []);
    for (const entry of residency.resident) {
      this.born[entry[1].first].push(entry);
      this.dying[entry[1].last].push(entry);
    }
  }

  run(): Emitted {
    const { jobs, steps } = this.input;
    steps.forEach(({ job, tile }, at) => {
      const planned = jobs[job];
      this.bear(at);
      if ("tiles" in planned) this.tile(planned, planned.tiles[tile], at);
      else this.cpu(planned.job);
      this.bury(at);
    });
    this.stop();
    return { commands: this.commands, buffers: this.buffers, sramPeakBytes: this.peak() };
  }

  private peak(): number {
    let peak = this.chips.reduce((most, { heap }) => Math.max(most, heap.peak), 0);
    for (const [root, { address, held }] of this.input.residency.resident) {
      for (const box of held) peak = Math.max(peak, address + heldBytes(root, box));
    }
    return peak;
  }

  /** Resident roots whose life begins with a step. */
  private bear(step: number): void {
    for (const [root, { address, held }] of this.born[step]) {
      for (const { npu, arena, residents } of this.chips) {
        if (!held[npu]) continue;
        residents.set(root, new TrackedBuffer(arena.claim(address, address + heldBytes(root, held[npu]))));
      }
    }
  }

  private bury(step: number): void {
    for (const [root, { address, held }] of this.dying[step]) {
      for (const { npu, arena, residents } of this.chips) {
        if (!held[npu]) continue;
        const buffer = residents.get(root) ?? bug(`${root.name} is not alive`);
        const bytes = heldBytes(root, held[npu]);
        arena.release(address, address + bytes, buffer.last());
        this.note(root.name, npu, address, bytes, buffer);
      }
    }
  }

  private note(name: string, npu: number, address: number, bytes: number, buffer: TrackedBuffer): void {
    const span = buffer.span();
    if (span) this.buffers.push({ name, space: "sram", npu, address, bytes, ...span });
  }

  private dramBuffer(root: Root): TrackedBuffer {
    const found = this.dram.get(root) ?? new TrackedBuffer(nobody(this.lanes));
    this.dram.set(root, found);
    return found;
  }

  private waitsFor(touches: readonly Touch[], lane: number): number[] {
    const waits = nobody(this.lanes);
    for (const { buffer, region, write } of touches) buffer.collect(region, write, waits);
    return waitsOf(waits, lane);
  }

  private push(body: CommandBody, npu: number, origin: readonly string[], touches: readonly Touch[]): void {
    const lane = laneOf(npu, body.engine);
    const waits = this.waitsFor(touches, lane);
    const id = this.commands.length;
    for (const { buffer, region, write } of touches) buffer.record(id, lane, region, write);
    const command: Command = { ...body, npu, waits, origin };
    this.commands.push(command);
    this.clock.add(lane, waits, this.input.workOf(command));
  }

  private regionOf(view: View): Region {
    const size = STORAGE_BYTES[view.root.dtype];
    const { low, high } = extentOf(view);
    return { low: low * size, high: high * size, box: boundsOf(view) };
  }

  /** An operand where its root lies for good, with what touching it means. */
  private inDram(view: View, write: boolean): { operand: Operand; touch: Touch } {
    const operand = operandOf(view, "dram", this.input.dramAddress(view.root));
    return { operand, touch: { buffer: this.dramBuffer(view.root), region: this.regionOf(view), write } };
  }

  private inSram(view: View, npu: number, write: boolean): { operand: Operand; touch: Touch } {
    const { root } = view;
    const { address, held } = this.input.residency.resident.get(root) ?? bug(`${root.name} has no place`);
    const box = held[npu] ?? bug(`${root.name} is not on NPU ${npu}`);
    const buffer = this.chips[npu].residents.get(root) ?? bug(`${root.name} is not alive`);
    return { operand: heldOperand(view, box, address), touch: { buffer, region: this.regionOf(view), write } };
  }

  private block(item: StreamItem): Block {
    return this.blocks.get(item) ?? bug(`a block of job ${item.job} is not loaded`);
  }

  private all(item: StreamItem, write: boolean): Touch {
    return { buffer: this.block(item).buffer, region: { low: 0, high: item.bytes }, write };
  }

  private npuOf(item: StreamItem): number {
    return npusOf(this.input.jobs[item.job].job)[0];
  }

  /**
   * Gives an item its memory and brings its bytes there, for all who share it. False where there is no room now, or none
   * that is given up before `until`: the engine would wait for it, and others behind it.
   */
  private load(item: StreamItem, now: number, until: number): boolean {
    const mates = item.mates ?? [item];
    const chips = mates.map((mate) => this.chips[this.npuOf(mate)]);
    const heaps = chips.map(({ heap }) => heap);
    const floor = mates.reduce((most, mate, at) => {
      const { last } = this.uses.get(mate) ?? bug(`a block of job ${mate.job} is never used`);
      return Math.max(most, chips[at].tops.between(now, last));
    }, 0);
    const address =
      item.kind === "package" ? takeCommon(heaps, item.bytes, floor) : heaps[0].take(item.bytes, floor, false);
    if (address === undefined) return false;
    const end = address + item.bytes;
    if (chips.some(({ arena }) => this.clock.endOf(waitsOf(arena.past(address, end), -1)) > until)) {
      for (const heap of heaps) heap.give(address);
      return false;
    }
    mates.forEach((mate, at) => {
      const buffer = new TrackedBuffer(chips[at].arena.claim(address, end));
      this.blocks.set(mate, { address, buffer });
    });
    const [{ npu }] = chips;
    const planned = this.input.jobs[item.job];
    const { origin } = planned.job;
    if (item.kind === "package") {
      const bytes = { dtype: "uint8", shape: [item.bytes], strides: [1] } as const;
      const from: Operand = { space: "dram", address: item.offset ?? bug("a package has no offset"), ...bytes };
      const body: CommandBody = {
        kind: "dma-read",
        engine: "dma-in",
        from,
        to: { ...from, space: "sram", address },
        ...(chips.length > 1 ? { npus: chips.map((chip) => chip.npu).sort((a, b) => a - b) } : {}),
      };
      const touches = mates.map((mate) => this.all(mate, true));
      this.push(body, npu, origin, touches);
    } else if (item.kind === "input" && item.view && item.box) {
      const { operand, touch } = this.inDram(boxView(item.view, item.box), false);
      const to = compactOperand(item.view.root.dtype, item.box.size, address);
      this.push({ kind: "dma-read", engine: "dma-in", from: operand, to }, npu, origin, [touch, this.all(item, true)]);
    }
    return true;
  }

  /** What is fetched ahead of a load that has to wait: its engine takes no other one meanwhile. */
  private fill(now: number, chip: Chip, touches: readonly Touch[]): void {
    if (!this.input.prefetch) return;
    const ready = this.clock.endOf(this.waitsFor(touches, laneOf(chip.npu, "dma-in")));
    this.advance(now, now, chip, undefined, ready);
  }

  /** Fetches what the DRAM has time for until the work given so far is done. */
  private ahead(now: number, chip: Chip): void {
    const { npu } = chip;
    const done = Math.max(this.clock.freeAt(laneOf(npu, "array")), this.clock.freeAt(laneOf(npu, "vector")));
    this.advance(now, now + 1, chip, undefined, done + this.input.lead);
  }

  /** When the engine that fetches an item could begin. */
  private fetched({ mates, job }: StreamItem): number {
    return this.clock.freeAt(laneOf(npusOf(this.input.jobs[mates?.[0].job ?? job].job)[0], "dma-in"));
  }

  /**
   * During step `now`, loads whatever finds room on an NPU, in order, but nothing that begins after `until`; the items of
   * `tile` must. `done`: so many steps have their commands, and what an item reads from DRAM must have been written by one
   * of them.
   */
  private advance(
    now: number,
    done: number,
    chip: Chip,
    tile: Tile | undefined,
    until = Number.POSITIVE_INFINITY,
  ): void {
    const must = new Set<StreamItem>([...(tile?.items ?? []), tile?.output].flatMap((item) => (item ? [item] : [])));
    for (const item of must) if (this.blocks.has(item)) must.delete(item);
    for (; chip.next < chip.stream.length; chip.next++) {
      const { item, written } = chip.stream[chip.next];
      if (this.blocks.has(item) || this.done.has(item)) continue;
      if (tile === undefined ? this.fetched(item) >= until : must.size === 0) return;
      if (!must.has(item) && written >= done) return;
      if (!this.load(item, now, must.has(item) ? Number.POSITIVE_INFINITY : until)) {
        if (must.size > 0) throw new OutOfSram(this.input.jobs[item.job].job.name, item.bytes);
        return;
      }
      must.delete(item);
    }
  }

  private tile({ job, places }: PlannedJob, tile: Tile, step: number): void {
    const npu = job.npu ?? 0;
    const chip = this.chips[npu];
    this.advance(step, step, chip, tile);
    if (chip.loads[chip.nextLoad] === step) chip.nextLoad++;
    const touches: Touch[] = [];
    const operands = job.inputs.map((view, at): Operand | undefined => {
      const need = tile.needs[at];
      const place = places.inputs[at];
      if (!view || !need || !place) return undefined;
      const item = tile.items[at];
      if (item) {
        touches.push(this.all(item, false));
        return compactOperand(view.root.dtype, need.size, this.block(item).address + tile.within[at]);
      }
      if (place === "direct" && view.root.kind === "constant")
        return operandOf(boxView(view, need), "dram", this.input.dramAddress(view.root));
      const part = boxView(view, need);
      const { operand, touch } = place === "direct" ? this.inDram(part, false) : this.inSram(part, npu, false);
      touches.push(touch);
      return operand;
    });
    if (tile.output) {
      const staged = compactOperand(job.output.root.dtype, tile.box.size, this.block(tile.output).address);
      this.push(job.command(tile.box, operands, staged), npu, job.origin, [...touches, this.all(tile.output, true)]);
      const { operand, touch } = this.inDram(boxView(job.output, tile.box), true);
      const body: CommandBody = { kind: "dma-write", engine: "dma-out", from: staged, to: operand };
      this.push(body, npu, job.origin, [this.all(tile.output, false), touch]);
    } else if (places.output === "direct") {
      const { operand, touch } = this.inDram(boxView(job.output, tile.box), true);
      this.push(job.command(tile.box, operands, operand), npu, job.origin, [...touches, touch]);
    } else {
      const part = boxView(job.output, tile.box);
      const all = npusOf(job).map((at) => this.inSram(part, at, true));
      const body = job.command(tile.box, operands, all[0].operand);
      if (body.kind === "dma-read") this.fill(step, chip, [...touches, ...all.map(({ touch }) => touch)]);
      const spread = job.npus === undefined || body.kind !== "dma-read" ? {} : { npus: job.npus };
      this.push({ ...body, ...spread }, npu, job.origin, [...touches, ...all.map(({ touch }) => touch)]);
    }
    // First into memory that is free already: what this tile leaves is free only when it has ended.
    if (this.input.prefetch) this.ahead(step, chip);
    for (const item of new Set([...tile.items, tile.output]))
      if (item && this.uses.get(item)?.last === step) this.free(item, npu, job.name);
    // Inputs come before the constants that wait behind them.
    const loading = job.engine === "dma-in" && chip.loads[chip.nextLoad] === step + 1;
    if (this.input.prefetch && !loading) this.ahead(step, chip);
  }

  private free(item: StreamItem, npu: number, name: string): void {
    const { address, buffer } = this.block(item);
    const { heap, arena } = this.chips[npu];
    heap.give(address);
    arena.release(address, address + item.bytes, buffer.last());
    this.note(`${name}/${item.kind}`, npu, address, item.bytes, buffer);
    this.blocks.delete(item);
    this.done.add(item);
  }

  private cpu(job: CpuJob): void {
    const touches: Touch[] = [];
    const reach = (view: View, write: boolean): Operand => {
      if (view.root.kind === "constant") return operandOf(view, "dram", this.input.dramAddress(view.root));
      const { operand, touch } = this.inDram(view, write);
      touches.push(touch);
      return operand;
    };
    const inputs = job.inputs.map((view) => reach(view, false));
    const outputs = job.outputs.map((view) => reach(view, true));
    this.push({ kind: "cpu", engine: "cpu", text: job.text, inputs, outputs }, 0, job.origin, touches);
  }

  private stop(): void {
    const last = nobody(this.lanes);
    this.commands.forEach(({ npu, engine }, id) => {
      last[laneOf(npu, engine)] = id;
    });
    const waits = [...last].filter((id) => id >= 0).sort((a, b) => a - b);
    this.commands.push({ kind: "stop", engine: "cpu", npu: 0, waits, origin: [] });
  }
}

/** Throws OutOfSram where fragmentation leaves a tile without room. */
export function emit(input: EmitInput): Emitted {
  return new Emitter(input).run();
}
