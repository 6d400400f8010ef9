/** How a job's output is cut into tiles, and what memory and traffic a cut costs. */
import type { Target } from "../target/schema.ts";
import { alignUp } from "./allocate.ts";
import { cutBox, factsOf, type GridWork, workOf } from "./grid-facts.ts";
import type { TileJob } from "./job.ts";
import { type Box, bytesOfBox, elementsOf } from "./view.ts";

/** One axis of a grid: pieces of `size`, the last one what is left. */
export interface GridAxis {
  readonly axis: number;
  readonly size: number;
}

/** Axes in loop order, outermost first; axes that are not named are whole. */
export type Grid = readonly GridAxis[];

/**
 * Where each operand is while a tile is computed: `sram` (stays there), `stage` (its box is copied in or out for the
 * tile), `package` (constants, packed together), `direct` (the command itself reaches DRAM).
 */
export type Place = "sram" | "stage" | "package" | "direct";

export interface Places {
  readonly inputs: readonly (Place | undefined)[];
  readonly output: Place;
}

export function tilesOf(job: TileJob, grid: Grid): Box[] {
  const { shape } = job.output;
  let boxes: Box[] = [{ start: shape.map(() => 0), size: shape }];
  for (const { axis, size } of grid) {
    const starts = Array.from({ length: Math.ceil(shape[axis] / size) }, (_, piece) => piece * size);
    boxes = boxes.flatMap((box) =>
      starts.map((start) => cutBox(box, axis, start, Math.min(size, shape[axis] - start))),
    );
  }
  return boxes;
}

/** Memory and traffic of a grid. */
export interface GridMemory {
  readonly grid: Grid;
  readonly hold: boolean;
  readonly tiles: number;
  /** Bytes staged between DRAM and SRAM, packages too. */
  readonly traffic: number;
  /** Bytes of staging that one tile needs. */
  readonly single: number;
  /** With the next tile's data arriving and the last one's leaving meanwhile. */
  readonly double: number;
  /** Bytes of the packages that a tile needs. */
  readonly packageBytes: number;
}

export interface GridCost extends GridMemory, GridWork {}

/**
 * What a grid needs of the memories. Packages count as one operand: they are loaded together. `hold`: every package stays
 * until its last tile, so that the order of the tiles is free.
 */
export function memoryOf(job: TileJob, places: Places, grid: Grid, target: Target, hold = false): GridMemory {
  const { pieces, tiles, inputs, outputBytes } = factsOf(job, grid, target);
  const align = target.sram.alignmentBytes;
  let [single, double, traffic, packageBytes] = [0, 0, 0, 0];
  const packageMoves = grid.map(() => false);
  const add = (bytes: number, moves: readonly boolean[]) => {
    // Loop order: an operand is fetched again whenever any loop down to the innermost one it depends on moves.
    const innermost = moves.lastIndexOf(true);
    const loads = pieces.slice(0, innermost + 1).reduce((product, count) => product * count, 1);
    single += alignUp(bytes, align);
    double += alignUp(bytes, align) * (loads > 1 ? 2 : 1);
    traffic += bytes * loads;
  };
  inputs.forEach((input, index) => {
    if (!input) return;
    const { bytes, moves } = input;
    if (places.inputs[index] === "package") {
      packageBytes += alignUp(bytes, 8);
      moves.forEach((is, axis) => {
        if (is) packageMoves[axis] = true;
      });
    } else if (places.inputs[index] === "stage") add(bytes, moves);
  });
  if (packageBytes > 0 && hold) {
    const loads = pieces.reduce((product, count, axis) => product * (packageMoves[axis] ? count : 1), 1);
    single += alignUp(packageBytes, align) * loads;
    double += alignUp(packageBytes, align) * loads;
    traffic += packageBytes * loads;
  } else if (packageBytes > 0) add(packageBytes, packageMoves);
  if (places.output === "stage") {
    const operands = { single, double };
    add(
      outputBytes,
      grid.map(() => true),
    );
    // Results have a buffer of their own there: neither side may be larger than the SRAM.
    if (target.sram.keeps === "operands") {
      single = Math.max(operands.single, single - operands.single);
      double = Math.max(operands.double, double - operands.double);
    }
  }
  return { grid, hold, tiles, traffic, single, double, packageBytes };
}

/** With the cycles of its tiles. */
export function costOf(job: TileJob, memory: GridMemory, target: Target): GridCost {
  return { ...memory, ...workOf(job, memory.grid, target) };
}

/** Staged bytes of the whole job at once. */
export function wholeBytes(job: TileJob, places: Places): number {
  const needs = job.needs({ start: job.output.shape.map(() => 0), size: job.output.shape });
  let bytes = 0;
  job.inputs.forEach((view, index) => {
    const need = needs[index];
    const place = places.inputs[index];
    if (view && need && (place === "stage" || place === "package"))
      bytes += alignUp(bytesOfBox(view.root.dtype, need), 64);
  });
  if (places.output === "stage")
    bytes += alignUp(elementsOf(job.output.shape) * bytesOfBox(job.output.root.dtype, { start: [], size: [] }), 64);
  return bytes;
}

/** The finest grid that a job allows: one quantum on every axis. */
export function finestGrid(job: TileJob): Grid {
  return job.cuts
    .filter(({ axis, quantum }) => job.output.shape[axis] > quantum)
    .map(({ axis, quantum }) => ({ axis, size: quantum }));
}
