/** How a job's output is cut into tiles, and what memory and traffic a cut costs. */
import { engineCycles } from "../emulate/cycles.ts";
import type { Target } from "../target/schema.ts";
import { alignUp } from "./allocate.ts";
import type { TileJob } from "./job.ts";
import type { CommandBody, Operand } from "./program.ts";
import { type Box, bytesOfBox, elementsOf, type View } from "./view.ts";

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

function cutBox(box: Box, axis: number, start: number, size: number): Box {
  return {
    start: box.start.map((at, index) => (index === axis ? start : at)),
    size: box.size.map((length, index) => (index === axis ? size : length)),
  };
}

/** Boxes of the sizes that occur, each with how often. */
function kindsOfTiles(job: TileJob, grid: Grid): { box: Box; count: number }[] {
  const { shape } = job.output;
  let kinds = [{ box: { start: shape.map(() => 0), size: shape } as Box, count: 1 }];
  for (const { axis, size } of grid) {
    const full = Math.floor(shape[axis] / size);
    const rest = shape[axis] % size;
    kinds = kinds.flatMap(({ box, count }) => [
      ...(full > 0 ? [{ box: cutBox(box, axis, 0, size), count: count * full }] : []),
      ...(rest > 0 ? [{ box: cutBox(box, axis, full * size, rest), count }] : []),
    ]);
  }
  return kinds;
}

/** An operand with the right sizes and no address: all that a command's cost depends on. */
function sizedOperand(view: View, box: Box): Operand {
  const strides = new Array<number>(box.size.length);
  let step = 1;
  for (let axis = box.size.length - 1; axis >= 0; axis--) {
    strides[axis] = view.strides[axis] === 0 ? 0 : step;
    step *= box.size[axis];
  }
  return { space: "sram", address: 0, dtype: view.root.dtype, shape: box.size, strides };
}

/** The command of a box without addresses: all that its cost depends on. */
export function sizedCommand(job: TileJob, box: Box): CommandBody {
  const needs = job.needs(box);
  const operands = job.inputs.map((view, index) => {
    const need = needs[index];
    return view && need ? sizedOperand(view, need) : undefined;
  });
  return job.command(box, operands, sizedOperand(job.output, box));
}

/** Engine cycles of the tile that makes a box. */
export function tileCycles(job: TileJob, box: Box, target: Target): number {
  return engineCycles(sizedCommand(job, box), target);
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

export interface GridCost extends GridMemory {
  /** Engine cycles of all tiles. */
  readonly cycles: number;
  /** Engine cycles of the largest tile: what a reader waits for before it can begin. */
  readonly tileCycles: number;
}

function countPieces(job: TileJob, { axis, size }: GridAxis): number {
  return Math.ceil(job.output.shape[axis] / size);
}

/** The largest box of a grid, taken from the inside where it needs its halo on both sides. */
function innerBox(job: TileJob, grid: Grid): Box {
  const { shape } = job.output;
  let box: Box = { start: shape.map(() => 0), size: shape };
  for (const { axis, size } of grid) {
    const piece = countPieces(job, { axis, size }) > 2 ? 1 : 0;
    box = cutBox(box, axis, piece * size, Math.min(size, shape[axis] - piece * size));
  }
  return box;
}

type Needs = readonly (Box | undefined)[];

/** By axis of the grid: what a tile elsewhere on it needs; undefined where there is no other. */
function needsElsewhere(job: TileJob, grid: Grid, origin: Box): (Needs | undefined)[] {
  const { shape } = job.output;
  return grid.map(({ axis, size }) => {
    const start = Math.floor((shape[axis] - 1) / size) * size;
    if (start === origin.start[axis]) return undefined;
    return job.needs(cutBox(origin, axis, start, Math.min(size, shape[axis] - start)));
  });
}

/** Which axes of the grid an input's box depends on: its box changes when the tile moves along them. */
function dependsOn(index: number, needs: Needs, elsewhere: readonly (Needs | undefined)[]): boolean[] {
  return elsewhere.map((other) => {
    const [a, b] = [needs[index], other?.[index]];
    return a !== undefined && b !== undefined && !sameBox(a, b);
  });
}

export function sameBox(a: Box, b: Box): boolean {
  return a.size.every((size, axis) => size === b.size[axis] && a.start[axis] === b.start[axis]);
}

/**
 * What a grid needs of the memories. Packages count as one operand: they are loaded together. `hold`: every package stays
 * until its last tile, so that the order of the tiles is free.
 */
export function memoryOf(job: TileJob, places: Places, grid: Grid, target: Target, hold = false): GridMemory {
  const box = innerBox(job, grid);
  const needs = job.needs(box);
  const elsewhere = needsElsewhere(job, grid, box);
  const pieces = grid.map((axis) => countPieces(job, axis));
  const tiles = pieces.reduce((product, count) => product * count, 1);
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
  job.inputs.forEach((view, index) => {
    const need = needs[index];
    if (!view || !need) return;
    const bytes = bytesOfBox(view.root.dtype, need);
    if (places.inputs[index] === "package") {
      packageBytes += alignUp(bytes, 8);
      dependsOn(index, needs, elsewhere).forEach((moves, axis) => {
        if (moves) packageMoves[axis] = true;
      });
    } else if (places.inputs[index] === "stage") add(bytes, dependsOn(index, needs, elsewhere));
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
      bytesOfBox(job.output.root.dtype, box),
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
  const { grid } = memory;
  let cycles = 0;
  let largest = 0;
  for (const { box: kind, count } of kindsOfTiles(job, grid)) {
    const own = tileCycles(job, kind, target);
    cycles += own * count;
    largest = Math.max(largest, own);
  }
  return { ...memory, cycles, tileCycles: largest };
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
