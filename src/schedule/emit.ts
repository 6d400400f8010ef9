/** Planned jobs → commands: addresses, loads ahead of their use, and the waits that keep the order. */
import { bug } from "../error.ts";
import { Arena, ENGINES, type Last, nobody, type Region, TrackedBuffer, waitsOf } from "./hazards.ts";
import { Heap } from "./heap.ts";
import type { CpuJob } from "./job.ts";
import type { Command, CommandBody, Operand, PlannedBuffer } from "./program.ts";
import { STORAGE_BYTES } from "./program.ts";
import type { Residency } from "./residency.ts";
import type { PlannedJob, StreamItem, Tile } from "./stream.ts";
import { boxView, compactOperand, extentOf, operandOf, type Root, rootBox, type View } from "./view.ts";

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
  readonly jobs: readonly (PlannedJob | { readonly job: CpuJob })[];
  readonly residency: Residency;
  readonly sramBytes: number;
  readonly alignment: number;
  /** Whether blocks are loaded ahead of their tile. */
  readonly prefetch: boolean;
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

type Resident = { readonly first: number; readonly last: number; readonly address: number };

interface Touch {
  readonly buffer: TrackedBuffer;
  readonly region: Region;
  readonly write: boolean;
}

class Emitter {
  private readonly input: EmitInput;
  private readonly commands: Command[] = [];
  private readonly arena = new Arena();
  private readonly heap: Heap;
  private readonly blocks = new Map<StreamItem, Block>();
  private readonly residents = new Map<Root, TrackedBuffer>();
  private readonly dram = new Map<Root, TrackedBuffer>();
  private readonly buffers: PlannedBuffer[] = [];
  /** All items of all jobs in order; `next` is the first that is not loaded yet. */
  private readonly stream: StreamItem[];
  private next = 0;
  /** By job: the resident roots whose life begins, and ends, with it. */
  private readonly born: [Root, Resident][][];
  private readonly dying: [Root, Resident][][];
  /** By root: the jobs that write it in DRAM. */
  private readonly writers = new Map<Root, number[]>();

  constructor(input: EmitInput) {
    this.input = input;
    this.heap = new Heap(input.sramBytes, input.alignment);
    this.stream = input.jobs.flatMap((planned) => ("items" in planned ? planned.items : []));
    this.born = input.jobs.map(() => []);
    this.dying = input.jobs.map(() => []);
    for (const entry of input.residency.resident) {
      this.born[entry[1].first].push(entry);
      this.dying[entry[1].last].push(entry);
    }
    input.jobs.forEach((planned, index) => {
      const outputs = planned.job.kind === "cpu" ? planned.job.outputs : [planned.job.output];
      for (const { root } of outputs) this.writers.set(root, [...(this.writers.get(root) ?? []), index]);
    });
  }

  run(): Emitted {
    const { jobs } = this.input;
    jobs.forEach((planned, index) => {
      this.bear(index);
      if (!("tiles" in planned)) this.cpu(planned.job);
      else for (const [number, tile] of planned.tiles.entries()) this.tile(planned, tile, number);
      this.bury(index);
    });
    this.stop();
    return { commands: this.commands, buffers: this.buffers, sramPeakBytes: this.peak() };
  }

  private peak(): number {
    let peak = this.heap.peak;
    for (const [root, { address }] of this.input.residency.resident) peak = Math.max(peak, address + root.bytes);
    return peak;
  }

  /** Resident roots whose life begins with a job. */
  private bear(index: number): void {
    for (const [root, { address }] of this.born[index])
      this.residents.set(root, new TrackedBuffer(this.arena.claim(address, address + root.bytes)));
  }

  private bury(index: number): void {
    for (const [root, { address }] of this.dying[index]) {
      const buffer = this.residents.get(root) ?? bug(`${root.name} is not alive`);
      this.arena.release(address, address + root.bytes, buffer.last());
      this.note(root.name, address, root.bytes, buffer);
    }
  }

  private note(name: string, address: number, bytes: number, buffer: TrackedBuffer): void {
    const span = buffer.span();
    if (span) this.buffers.push({ name, space: "sram", npu: 0, address, bytes, ...span });
  }

  private dramBuffer(root: Root): TrackedBuffer {
    const found = this.dram.get(root) ?? new TrackedBuffer();
    this.dram.set(root, found);
    return found;
  }

  private push(body: CommandBody, origin: readonly string[], touches: readonly Touch[]): void {
    const waits: Last = nobody();
    for (const { buffer, region, write } of touches) buffer.collect(region, write, waits);
    const id = this.commands.length;
    for (const { buffer, region, write } of touches) buffer.record(id, body.engine, region, write);
    this.commands.push({ ...body, npu: 0, waits: waitsOf(waits, body.engine), origin });
  }

  private regionOf(view: View): Region {
    const size = STORAGE_BYTES[view.root.dtype];
    const { low, high } = extentOf(view);
    const box = rootBox(view);
    return { low: low * size, high: high * size, ...(box ? { box } : {}) };
  }

  /** An operand where its root lies for good, with what touching it means. */
  private inPlace(view: View, space: "sram" | "dram", write: boolean): { operand: Operand; touch: Touch } {
    const { root } = view;
    const address =
      space === "dram"
        ? this.input.dramAddress(root)
        : (this.input.residency.resident.get(root)?.address ?? bug(`${root.name} has no place`));
    const buffer =
      space === "dram" ? this.dramBuffer(root) : (this.residents.get(root) ?? bug(`${root.name} is not alive`));
    return { operand: operandOf(view, space, address), touch: { buffer, region: this.regionOf(view), write } };
  }

  private block(item: StreamItem): Block {
    return this.blocks.get(item) ?? bug(`a block of job ${item.job} is not loaded`);
  }

  private all(item: StreamItem, write: boolean): Touch {
    return { buffer: this.block(item).buffer, region: { low: 0, high: item.bytes }, write };
  }

  /** Gives an item its memory and brings its bytes there. False where there is no room now. */
  private load(item: StreamItem, now: number): boolean {
    const { top } = this.input.residency;
    let floor = 0;
    for (let job = now; job <= item.job; job++) floor = Math.max(floor, top[job]);
    const address = this.heap.take(item.bytes, floor, item.kind === "package");
    if (address === undefined) return false;
    const buffer = new TrackedBuffer(this.arena.claim(address, address + item.bytes));
    this.blocks.set(item, { address, buffer });
    const planned = this.input.jobs[item.job];
    const { origin } = planned.job;
    if (item.kind === "package") {
      const bytes = { dtype: "uint8", shape: [item.bytes], strides: [1] } as const;
      const from: Operand = { space: "dram", address: item.offset ?? bug("a package has no offset"), ...bytes };
      this.push({ kind: "dma-read", engine: "dma-in", from, to: { ...from, space: "sram", address } }, origin, [
        this.all(item, true),
      ]);
    } else if (item.kind === "input" && item.view && item.box) {
      const { operand, touch } = this.inPlace(boxView(item.view, item.box), "dram", false);
      const to = compactOperand(item.view.root.dtype, item.box.size, address);
      this.push({ kind: "dma-read", engine: "dma-in", from: operand, to }, origin, [touch, this.all(item, true)]);
    }
    return true;
  }

  /** Whether what an item reads has been written by the commands so far. */
  private ready(item: StreamItem, now: number): boolean {
    if (item.kind !== "input" || !item.view) return true;
    const writers = this.writers.get(item.view.root) ?? [];
    return writers.every((job) => job < now || job >= item.job);
  }

  /** Loads whatever finds room, in order; only the items of `tile` must. */
  private advance(now: number, tile: Tile | undefined): void {
    const must = new Set<StreamItem>([...(tile?.items ?? []), tile?.output].flatMap((item) => (item ? [item] : [])));
    for (const item of must) if (this.blocks.has(item)) must.delete(item);
    while (this.next < this.stream.length) {
      const item = this.stream[this.next];
      if (tile !== undefined && must.size === 0) return;
      if (!must.has(item) && !this.ready(item, now)) return;
      if (!this.load(item, now)) {
        if (must.size > 0) throw new OutOfSram(this.input.jobs[item.job].job.name, item.bytes);
        return;
      }
      must.delete(item);
      this.next++;
    }
  }

  private tile({ job, index, places, tiles }: PlannedJob, tile: Tile, number: number): void {
    this.advance(index, tile);
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
      const { operand, touch } = this.inPlace(boxView(view, need), place === "direct" ? "dram" : "sram", false);
      touches.push(touch);
      return operand;
    });
    if (tile.output) {
      const staged = compactOperand(job.output.root.dtype, tile.box.size, this.block(tile.output).address);
      this.push(job.command(tile.box, operands, staged), job.origin, [...touches, this.all(tile.output, true)]);
      const { operand, touch } = this.inPlace(boxView(job.output, tile.box), "dram", true);
      const body: CommandBody = { kind: "dma-write", engine: "dma-out", from: staged, to: operand };
      this.push(body, job.origin, [this.all(tile.output, false), touch]);
    } else {
      const { operand, touch } = this.inPlace(
        boxView(job.output, tile.box),
        places.output === "direct" ? "dram" : "sram",
        true,
      );
      this.push(job.command(tile.box, operands, operand), job.origin, [...touches, touch]);
    }
    for (const item of new Set([...tile.items, tile.output]))
      if (item && item.last === number) this.free(item, job.name);
    // Inputs come before the constants that wait behind them.
    const loading = job.direct?.input !== undefined && number + 1 < tiles.length;
    if (this.input.prefetch && !loading) this.advance(index, undefined);
  }

  private free(item: StreamItem, name: string): void {
    const { address, buffer } = this.block(item);
    this.heap.give(address);
    this.arena.release(address, address + item.bytes, buffer.last());
    this.note(`${name}/${item.kind}`, address, item.bytes, buffer);
    this.blocks.delete(item);
  }

  private cpu(job: CpuJob): void {
    const touches: Touch[] = [];
    const reach = (view: View, write: boolean): Operand => {
      if (view.root.kind === "constant") return operandOf(view, "dram", this.input.dramAddress(view.root));
      const { operand, touch } = this.inPlace(view, "dram", write);
      touches.push(touch);
      return operand;
    };
    const inputs = job.inputs.map((view) => reach(view, false));
    const outputs = job.outputs.map((view) => reach(view, true));
    this.push({ kind: "cpu", engine: "cpu", text: job.text, inputs, outputs }, job.origin, touches);
  }

  private stop(): void {
    const last = nobody();
    this.commands.forEach(({ engine }, id) => {
      last[ENGINES.indexOf(engine)] = id;
    });
    const waits = [...last].filter((id) => id >= 0).sort((a, b) => a - b);
    this.commands.push({ kind: "stop", engine: "cpu", npu: 0, waits, origin: [] });
  }
}

/** Throws OutOfSram where fragmentation leaves a tile without room. */
export function emit(input: EmitInput): Emitted {
  return new Emitter(input).run();
}
