/**
 * What a grid is for a job wherever its operands lie. Grids are looked at again and again, for other places, for another room,
 * for a layer that is the same: what does not depend on those is found once.
 */
import { engineCycles } from "../emulate/cycles.ts";
import type { Target } from "../target/schema.ts";
import type { Grid, GridAxis, GridMemory } from "./grid.ts";
import type { TileJob } from "./job.ts";
import type { CommandBody, Operand } from "./program.ts";
import { type Box, bytesOfBox, type View } from "./view.ts";

/** Engine cycles of all tiles, and of the largest: what a reader waits for before it can begin. */
export interface GridWork {
  readonly cycles: number;
  readonly tileCycles: number;
}

export interface GridFacts {
  /** By axis of the grid. */
  readonly pieces: readonly number[];
  readonly tiles: number;
  /** By input: bytes of a tile's box, and along which axes of the grid the box changes; undefined where a tile needs nothing of it. */
  readonly inputs: readonly ({ readonly bytes: number; readonly moves: readonly boolean[] } | undefined)[];
  readonly outputBytes: number;
}

interface Table {
  readonly facts: Map<string, GridFacts>;
  readonly work: Map<string, GridWork>;
  readonly lists: Map<string, readonly GridMemory[]>;
}

/** Tables that are kept at most; a network has far fewer layers that differ. */
const MOST_TABLES = 4096;

/** Of the target that was asked for last, whatever SRAM it has: nothing here depends on that. */
let known: { readonly target: string; readonly tables: Map<string, Table> } = { target: "", tables: new Map() };
const targetKeys = new WeakMap<Target, string>();
const signatures = new WeakMap<TileJob, string>();

function targetKey(target: Target): string {
  const found = targetKeys.get(target);
  if (found !== undefined) return found;
  const { figures: _, ...numbers } = target;
  const key = JSON.stringify({ ...numbers, sram: { ...target.sram, bytes: 0 } });
  targetKeys.set(target, key);
  return key;
}

/** Equal where two jobs are the same in all that a grid's cost depends on. */
export function signatureOf(job: TileJob): string {
  const found = signatures.get(job);
  if (found !== undefined) return found;
  const command = sizedCommand(job, { start: job.output.shape.map(() => 0), size: job.output.shape });
  const signature = JSON.stringify([command, job.cuts]);
  signatures.set(job, signature);
  return signature;
}

function tableOf(job: TileJob, target: Target): Table {
  const key = targetKey(target);
  if (known.target !== key || known.tables.size >= MOST_TABLES) known = { target: key, tables: new Map() };
  const signature = signatureOf(job);
  const found = known.tables.get(signature);
  if (found) return found;
  const table: Table = { facts: new Map(), work: new Map(), lists: new Map() };
  known.tables.set(signature, table);
  return table;
}

function keyOf(grid: Grid): string {
  let key = "";
  for (const { axis, size } of grid) key += `${axis}:${size},`;
  return key;
}

function cached<T>(map: Map<string, T>, key: string, make: () => T): T {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

export function factsOf(job: TileJob, grid: Grid, target: Target): GridFacts {
  return cached(tableOf(job, target).facts, keyOf(grid), () => makeFacts(job, grid));
}

export function workOf(job: TileJob, grid: Grid, target: Target): GridWork {
  return cached(tableOf(job, target).work, keyOf(grid), () => makeWork(job, grid, target));
}

/** A list of grids' memories under a name that says all but job and target that it depends on. */
export function listOf(job: TileJob, target: Target, name: string, make: () => GridMemory[]): readonly GridMemory[] {
  return cached(tableOf(job, target).lists, name, make);
}

export function cutBox(box: Box, axis: number, start: number, size: number): Box {
  const cut = { start: [...box.start], size: [...box.size] };
  cut.start[axis] = start;
  cut.size[axis] = size;
  return cut;
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

export function sameBox(a: Box, b: Box): boolean {
  return a.size.every((size, axis) => size === b.size[axis] && a.start[axis] === b.start[axis]);
}

function makeFacts(job: TileJob, grid: Grid): GridFacts {
  const box = innerBox(job, grid);
  const needs = job.needs(box);
  const elsewhere = needsElsewhere(job, grid, box);
  const pieces = grid.map((axis) => countPieces(job, axis));
  const inputs = job.inputs.map((view, index) => {
    const need = needs[index];
    if (!view || !need) return undefined;
    const moves = elsewhere.map((other) => {
      const there = other?.[index];
      return there !== undefined && !sameBox(need, there);
    });
    return { bytes: bytesOfBox(view.root.dtype, need), moves };
  });
  const tiles = pieces.reduce((product, count) => product * count, 1);
  return { pieces, tiles, inputs, outputBytes: bytesOfBox(job.output.root.dtype, box) };
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

function makeWork(job: TileJob, grid: Grid, target: Target): GridWork {
  let cycles = 0;
  let tileCycles = 0;
  for (const { box, count } of kindsOfTiles(job, grid)) {
    const own = engineCycles(sizedCommand(job, box), target);
    cycles += own * count;
    tileCycles = Math.max(tileCycles, own);
  }
  return { cycles, tileCycles };
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
