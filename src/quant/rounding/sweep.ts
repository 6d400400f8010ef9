import { placesFor } from "../../run/wasm.ts";
import { roundingKernels } from "../kernels/load.ts";
import { blocksOf, type Grid, stepOf } from "./matrix.ts";

/** Positions that one sweep settles; what they leave over reaches the others as a product of matrices. */
export const BLOCK = 128;
/** Channels of one call, so that a block of theirs stays in the second-level cache. */
const STRIP = 128;

/** A block of positions, channels side by side: all of [count, rows]. */
export interface Block {
  readonly count: number;
  readonly rows: number;
  /** Where each would like to be if nothing before it in the block changed. */
  readonly target: Float64Array;
  /** What `change` is counted from. */
  readonly base: Float64Array;
  /** [count, count], below the diagonal: position i moves by −coefficients[i][j]·change[j]. */
  readonly coefficients: Float64Array;
  /** For each position, which block of the grid it belongs to. */
  readonly blocks: Int32Array;
}

export interface Settled {
  /** Rounded less base, [count, rows]. */
  readonly change: Float64Array;
  readonly codes: Int8Array;
}

/** Rounds the block's positions one after the other, each with what those before it left over. */
export function settle(block: Block, grid: Grid, depth: number): Settled {
  const { count, rows } = block;
  const kernels = roundingKernels();
  const change = new Float64Array(count * rows);
  const codes = new Int8Array(count * rows);
  const first = Math.min(...block.blocks);
  const kinds = Math.max(...block.blocks) - first + 1;
  for (let start = 0; start < rows; start += STRIP) {
    const used = Math.min(STRIP, rows - start);
    const width = Math.ceil(used / 8) * 8;
    const panel = count * width * 8;
    const [t, b, d, c, s, places, q, scratch] = placesFor(kernels, [
      ...[panel, panel, panel],
      ...[count * count * 8, kinds * width * 8, count * 4, count * width, count * 64],
    ]);
    const { buffer } = kernels.memory;
    const doubles = (at: number, length: number) => new Float64Array(buffer, at, length);
    copyIn(doubles(t, count * width), block.target, block, start, used, width);
    copyIn(doubles(b, count * width), block.base, block, start, used, width);
    doubles(c, count * count).set(block.coefficients);
    fillSteps(doubles(s, kinds * width), grid, { depth, first, start, used, width });
    new Int32Array(buffer, places, count).set(block.blocks.map((kind) => s + (kind - first) * width * 8));
    kernels.sweep(t, c, b, places, d, q, scratch, count, width, grid.low, grid.high);
    const [changed, coded] = [doubles(d, count * width), new Int8Array(buffer, q, count * width)];
    for (let i = 0; i < count; i++) {
      change.set(changed.subarray(i * width, i * width + used), i * rows + start);
      codes.set(coded.subarray(i * width, i * width + used), i * rows + start);
    }
  }
  return { change, codes };
}

function copyIn(
  to: Float64Array,
  from: Float64Array,
  { count, rows }: Block,
  start: number,
  used: number,
  width: number,
) {
  if (used < width) to.fill(0);
  for (let i = 0; i < count; i++) to.set(from.subarray(i * rows + start, i * rows + start + used), i * width);
}

interface Strip {
  readonly depth: number;
  readonly first: number;
  readonly start: number;
  readonly used: number;
  readonly width: number;
}

function fillSteps(steps: Float64Array, grid: Grid, { depth, first, start, used, width }: Strip): void {
  const blocks = blocksOf(depth, grid.block);
  // Lanes without a channel divide too: by one.
  steps.fill(1);
  for (let kind = 0; kind < steps.length / width; kind++) {
    for (let channel = 0; channel < used; channel++) {
      steps[kind * width + channel] = stepOf(grid, blocks, start + channel, first + kind);
    }
  }
}
