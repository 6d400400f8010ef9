/** What a small program's plan could be instead: the tensors that stay, the grids of a job. */
import { dramBytesPerCycle } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { costOf, type Grid, type GridMemory, memoryOf, type Places } from "../grid.ts";
import { type Job, outputsOf, type TileJob } from "../job.ts";
import { type Frame, frameOf, idleJob, type Planned, type Prepared } from "../plan.ts";
import { type PlannedJob, planJob } from "../stream.ts";
import type { Root } from "../view.ts";

const STRIPS = [1, 2, 3, 4, 6, 8];
const CHANNELS = [1, 2, 3, 4];
const TRANSFERS = [1, 2, 3, 4];
/** Where hardly a grid of large tiles fits, smaller ones are looked at; of what fits, so many. */
const FINE = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const FEW_GRIDS = 6;
const [MOST_GRIDS, MOST_FINE] = [40, 16];
/** And none with more than this many times the fewest tiles. */
const TILE_SPREAD = 4;
/** Of grids with as many tiles, so many are looked at. */
const ALIKE = 3;
/** Cycles that a tile costs beside its own. */
const TILE_PRICE = 16;

/** Pieces of so many sizes along one of a job's axes; whole first. */
function piecesOf({ output: { shape }, cuts }: TileJob, at: number, counts: readonly number[]): Grid[] {
  const found = new Map<number, Grid>();
  for (const { axis, quantum } of cuts.filter(({ axis, quantum }) => shape[axis] > quantum).slice(at, at + 1)) {
    for (const count of counts) {
      const size = Math.ceil(shape[axis] / quantum / count) * quantum;
      found.set(size, size < shape[axis] ? [{ axis, size }] : []);
    }
  }
  return found.size > 0 ? [...found.values()] : [[]];
}

function gridsOf(job: TileJob, first: readonly number[], second: readonly number[]): Grid[] {
  return piecesOf(job, 0, first).flatMap((a) =>
    piecesOf(job, 1, second).flatMap((b) => {
      const both = [...a, ...b];
      return a.length > 0 && b.length > 0 ? [both, both.toReversed()] : [both];
    }),
  );
}

/** A transfer in pieces along one axis: whoever reads it may begin with the first rows, or channels. */
function transfersOf(job: TileJob): Grid[] {
  return [...piecesOf(job, 0, TRANSFERS), ...[1, 2].flatMap((at) => piecesOf(job, at, TRANSFERS.slice(1)))];
}

/** The plans of one job that fit beside what stays, the likeliest first. */
function alternativesOf(
  job: TileJob,
  index: number,
  places: Places,
  room: number,
  target: Target,
  most?: number,
): PlannedJob[] {
  const fitting = (grids: readonly Grid[]): GridMemory[] =>
    grids.flatMap((grid) => {
      const ways = places.inputs.includes("package") && grid.length > 1 ? [true, false] : [false];
      const found = ways.map((hold) => memoryOf(job, places, grid, target, hold));
      return found.filter(({ single }) => single <= room);
    });
  const coarse = fitting(job.direct ? transfersOf(job) : gridsOf(job, STRIPS, CHANNELS));
  const isCoarse = coarse.length >= FEW_GRIDS || job.direct !== undefined;
  const memories = isCoarse ? coarse : fewTiles(fitting(gridsOf(job, FINE, FINE)));
  const perCycle = dramBytesPerCycle(target);
  const ranked = memories.map((memory) => {
    const { cycles, traffic, tiles } = costOf(job, memory, target);
    const price = Math.max(cycles, traffic / perCycle) + tiles * TILE_PRICE;
    // Where two tiles do not fit side by side, nothing is brought in ahead.
    return { memory, price: memory.double <= room ? price : price + Math.min(cycles, traffic / perCycle) };
  });
  ranked.sort((a, b) => a.price - b.price);
  const alike = new Map<number, number>();
  const varied = ranked.filter(({ memory: { tiles } }) => {
    const before = alike.get(tiles) ?? 0;
    alike.set(tiles, before + 1);
    return before < ALIKE;
  });
  return varied
    .slice(0, most ?? (isCoarse ? MOST_GRIDS : MOST_FINE))
    .map(({ memory: { grid, hold } }) => planJob(job, index, grid, places, hold));
}

/** Those with not many more tiles than the fewest. */
function fewTiles(memories: readonly GridMemory[]): GridMemory[] {
  const fewest = memories.reduce((least, { tiles }) => Math.min(least, tiles), Number.POSITIVE_INFINITY);
  return memories.filter(({ tiles }) => tiles <= fewest * TILE_SPREAD);
}

/** A way to keep tensors in SRAM, with what every job could be under it. */
export interface Space {
  readonly frame: Frame;
  readonly entry: Prepared;
  /** By job: its plans. */
  readonly choices: readonly (readonly Planned["jobs"][number][])[];
}

/** Of one entry: what its jobs can be, by where their operands are and by the room beside what stays. */
export type Known = Map<string, readonly PlannedJob[]>;

/**
 * Undefined where a job has no grid that fits. `strips`: the entry's jobs that are strips, each of them one tile; the others have one
 * choice then.
 */
export function spaceOf(
  entry: Prepared,
  frame: Frame,
  target: Target,
  known: Known,
  strips?: ReadonlySet<Job>,
): Space | undefined {
  const choices: (readonly Planned["jobs"][number][])[] = [];
  for (const [index, job] of entry.transfers.jobs.entries()) {
    const own = choicesOf(job, index, frame, target, known, strips);
    if (own.length === 0) return undefined;
    choices.push(own);
  }
  return { frame, entry, choices };
}

function choicesOf(
  job: Job,
  index: number,
  frame: Frame,
  target: Target,
  known: Known,
  strips?: ReadonlySet<Job>,
): Space["choices"][number] {
  if (job.kind === "cpu") return [{ job }];
  const places = frame.places[index];
  if (!places) return [idleJob(job, index, frame)];
  const room = target.sram.bytes - frame.residency.tops[0][index];
  if (!strips?.has(job)) {
    const key = `${index} ${room} ${JSON.stringify(places)}`;
    const found = known.get(key) ?? alternativesOf(job, index, places, room, target, strips && 1);
    known.set(key, found);
    return found;
  }
  return memoryOf(job, places, [], target).single <= room ? [planJob(job, index, [], places)] : [];
}

const FEW_ROOTS = 4;

/** All sets of a few; of more, those of one and two, and all together. */
function subsetsOf(roots: readonly Root[]): Set<Root>[] {
  const sets: Set<Root>[] = [new Set()];
  if (roots.length <= FEW_ROOTS) {
    for (let set = 1; set < 2 ** roots.length; set++) sets.push(new Set(roots.filter((_, at) => (set >> at) & 1)));
    return sets;
  }
  for (const [at, one] of roots.entries()) for (const other of roots.slice(at)) sets.push(new Set([one, other]));
  return [...sets, new Set(roots)];
}

/** Of the SRAM that tensors take together, how much makes a choice of them worth while. */
const CROWDED = 0.5;

/** The tensors that may stay in SRAM. */
export function movableOf({ transfers: { jobs } }: Prepared): Set<Root> {
  const roots = jobs.flatMap((job) => outputsOf(job).map(({ root }) => root));
  return new Set(roots.filter(({ kind }) => kind !== "output"));
}

/** Whether something could be gained by leaving one of the tensors in DRAM. */
export function isCrowded(roots: ReadonlySet<Root>, target: Target): boolean {
  return [...roots].reduce((sum, root) => sum + root.bytes, 0) > target.sram.bytes * CROWDED;
}

/** Every choice of tensors that stay in SRAM; all of them where there is room. */
export function framesOf(entry: Prepared, target: Target): Frame[] {
  const roots = movableOf(entry);
  const sets = isCrowded(roots, target) || roots.size <= FEW_ROOTS ? subsetsOf([...roots]) : [new Set<Root>()];
  const found = new Map<string, Frame>();
  for (const away of sets) {
    const frame = frameOf(entry, target, { share: 0.25, alone: false }, away);
    const key = [...roots].map((root) => Number(frame.residency.resident.has(root))).join("");
    if (!found.has(key)) found.set(key, frame);
  }
  return [...found.values()];
}
