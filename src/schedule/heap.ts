import { alignUp } from "./allocate.ts";

interface Block {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of SRAM that tiles stream through: blocks come and go in the order of the program. Short-lived blocks are
 * placed from below, long-lived ones from above, so that they do not fragment each other.
 */
export class Heap {
  private readonly capacity: number;
  private readonly alignment: number;
  /** Live blocks by address. */
  private readonly blocks: Block[] = [];
  peak = 0;

  constructor(capacity: number, alignment: number) {
    this.capacity = Math.floor(capacity / alignment) * alignment;
    this.alignment = alignment;
  }

  /** The address of `bytes` free ones at or above `floor`; undefined where no gap is large enough. */
  take(bytes: number, floor: number, fromTop: boolean): number | undefined {
    const address = this.find(bytes, floor, fromTop);
    if (address !== undefined) this.claim(address, bytes);
    return address;
  }

  /** Takes `bytes` at an address that is free. */
  claim(address: number, bytes: number): void {
    const block = { start: address, end: address + alignUp(Math.max(bytes, 1), this.alignment) };
    let at = this.blocks.length;
    while (at > 0 && this.blocks[at - 1].start > address) at--;
    this.blocks.splice(at, 0, block);
    this.peak = Math.max(this.peak, block.end);
  }

  /** Where `bytes` would go: the lowest or highest free place in [floor, end). */
  find(bytes: number, floor: number, fromTop: boolean, end = this.capacity): number | undefined {
    const size = alignUp(Math.max(bytes, 1), this.alignment);
    const low = alignUp(floor, this.alignment);
    return fromTop ? this.highest(size, low, alignUp(end, this.alignment)) : this.lowest(size, low);
  }

  private lowest(size: number, floor: number): number | undefined {
    let start = floor;
    for (const block of this.blocks) {
      if (block.start - start >= size) break;
      start = Math.max(start, block.end);
    }
    return start + size <= this.capacity ? start : undefined;
  }

  private highest(size: number, floor: number, ceiling: number): number | undefined {
    let end = Math.min(this.capacity, ceiling);
    for (let at = this.blocks.length - 1; at >= 0; at--) {
      if (end - this.blocks[at].end >= size) break;
      end = Math.min(end, this.blocks[at].start);
    }
    return end - size >= floor ? end - size : undefined;
  }

  give(address: number): void {
    const at = this.blocks.findIndex(({ start }) => start === address);
    if (at < 0) throw new Error(`bug: no block begins at ${address}`);
    this.blocks.splice(at, 1);
  }
}

/** An address that is free on all heaps, taken on all of them; the highest, for what several NPUs get at once. */
export function takeCommon(heaps: readonly Heap[], bytes: number, floor: number): number | undefined {
  if (heaps.length === 1) return heaps[0].take(bytes, floor, true);
  for (let end: number | undefined; ; ) {
    const found = heaps.map((heap) => heap.find(bytes, floor, true, end));
    const lowest = found.reduce((least: number | undefined, at) => {
      return least === undefined || at === undefined ? undefined : Math.min(least, at);
    });
    if (lowest === undefined) return undefined;
    if (found.every((at) => at === lowest)) {
      for (const heap of heaps) heap.claim(lowest, bytes);
      return lowest;
    }
    // Nobody has a place above the lowest one's end that all could share.
    end = lowest + bytes;
  }
}
