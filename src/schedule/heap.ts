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
    const size = alignUp(Math.max(bytes, 1), this.alignment);
    const low = alignUp(floor, this.alignment);
    const address = fromTop ? this.highest(size, low) : this.lowest(size, low);
    if (address === undefined) return undefined;
    const block = { start: address, end: address + size };
    let at = this.blocks.length;
    while (at > 0 && this.blocks[at - 1].start > address) at--;
    this.blocks.splice(at, 0, block);
    this.peak = Math.max(this.peak, block.end);
    return address;
  }

  private lowest(size: number, floor: number): number | undefined {
    let start = floor;
    for (const block of this.blocks) {
      if (block.start - start >= size) break;
      start = Math.max(start, block.end);
    }
    return start + size <= this.capacity ? start : undefined;
  }

  private highest(size: number, floor: number): number | undefined {
    let end = this.capacity;
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
