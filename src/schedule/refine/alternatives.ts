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

/** A grid with what it costs, and the plan of its tiles once somebody asks for it. */
interface Ranked {
  readonly memory: GridMemory;
  /** Of the job's engine. */
  readonly cycles: number;
  /** Of the DRAM. */
  readonly moves: number;
  planned?: PlannedJob;
}

/** All grids of one job with its operands at certain places: large pieces, and as soon as they are asked for, small ones. */
interface Grids {
  readonly coarse: readonly Ranked[];
  fine?: readonly Ranked[];
  /** By the room beside what stays: the likeliest first. */
  readonly fitting: Map<number, readonly Ranked[]>;
}

/** The grids of jobs by where their operands are. */
export type Known = Map<Job, Map<string, Grids>>;

function rank(job: TileJob, places: Places, grids: readonly Grid[], target: Target): Ranked[] {
  const perCycle = dramBytesPerCycle(target);
  return grids.flatMap((grid) => {
    const ways = places.inputs.includes("package") && grid.length > 1 ? [true, false] : [false];
    return ways.flatMap((hold): Ranked[] => {
      const memory = memoryOf(job, places, grid, target, hold);
      if (memory.single > target.sram.bytes) return [];
      const { cycles, traffic } = costOf(job, memory, target);
      return [{ memory, cycles, moves: traffic / perCycle }];
    });
  });
}

/** The grids of one job that fit beside what stays, the likeliest first. */
function fittingGrids(job: TileJob, places: Places, room: number, target: Target, known: Known): readonly Ranked[] {
  const own = known.get(job) ?? new Map<string, Grids>();
  known.set(job, own);
  const key = JSON.stringify(places);
  const grids: Grids = own.get(key) ?? {
    coarse: rank(job, places, job.direct ? transfersOf(job) : gridsOf(job, STRIPS, CHANNELS), target),
    fitting: new Map(),
  };
  own.set(key, grids);
  const found = grids.fitting.get(room) ?? likeliest(job, places, room, target, grids);
  grids.fitting.set(room, found);
  return found;
}

function likeliest(job: TileJob, places: Places, room: number, target: Target, grids: Grids): readonly Ranked[] {
  const coarse = grids.coarse.filter(({ memory: { single } }) => single <= room);
  const isCoarse = job.direct || coarse.filter(({ memory: { double } }) => double <= room).length >= FEW_GRIDS;
  let fitting = coarse;
  if (!isCoarse) {
    grids.fine ??= rank(job, places, gridsOf(job, FINE, FINE), target);
    fitting = fewTiles(
      grids.fine.filter(({ memory: { single } }) => single <= room),
      room,
    );
  }
  // Where two tiles do not fit side by side, nothing is brought in ahead.
  const price = ({ memory: { tiles, double }, cycles, moves }: Ranked) =>
    (double <= room ? Math.max(cycles, moves) : cycles + moves) + tiles * TILE_PRICE;
  const alike = new Map<number, number>();
  const varied = fitting
    .toSorted((a, b) => price(a) - price(b))
    .filter(({ memory: { tiles } }) => {
      const before = alike.get(tiles) ?? 0;
      alike.set(tiles, before + 1);
      return before < ALIKE;
    });
  return varied.slice(0, isCoarse ? MOST_GRIDS : MOST_FINE);
}

/** The plan of a job's tiles, which is made once. */
function planOf(job: TileJob, index: number, places: Places, one: Ranked): PlannedJob {
  if (one.planned?.index !== index) one.planned = planJob(job, index, one.memory.grid, places, one.memory.hold);
  return one.planned;
}

/** Those with not many more tiles than the fewest: alone, or of those of which two fit side by side. */
function fewTiles(grids: readonly Ranked[], room: number): Ranked[] {
  const fewest = (some: readonly Ranked[]) =>
    some.reduce((least, { memory: { tiles } }) => Math.min(least, tiles), Number.POSITIVE_INFINITY);
  const doubled = grids.filter(({ memory: { double } }) => double <= room);
  const [all, twice] = [fewest(grids), fewest(doubled)];
  return grids.filter(({ memory: { tiles, double } }) => tiles <= (double <= room ? twice : all) * TILE_SPREAD);
}

/** A way to keep tensors in SRAM, with what every job could be under it. */
export interface Space {
  readonly frame: Frame;
  readonly entry: Prepared;
  /** By job: its plans. */
  readonly choices: readonly (readonly Planned["jobs"][number][])[];
}

/** Grids whose work is more than so many times the time of the best plan known, with the least of all other jobs, are left out. */
const DOUBTFUL = 1.1;

/**
 * Undefined where a job has no grid that fits, or none with which the whole could take less than `limit` cycles. `strips`: the
 * entry's jobs that are strips, each of them one tile; the others have one choice then.
 */
export function spaceOf(
  entry: Prepared,
  frame: Frame,
  target: Target,
  known: Known,
  limit: number,
  strips?: ReadonlySet<Job>,
): Space | undefined {
  const { jobs } = entry.transfers;
  const grids = jobs.map((job, index) => {
    const places = frame.places[index];
    if (job.kind === "cpu" || !places) return undefined;
    const room = target.sram.bytes - frame.residency.tops[0][index];
    if (!strips?.has(job)) return fittingGrids(job, places, room, target, known);
    const memory = memoryOf(job, places, [], target);
    return memory.single <= room ? [{ memory, cycles: 0, moves: 0 }] : [];
  });
  const least = (at: number, of: "cycles" | "moves") =>
    (grids[at] ?? []).reduce((some, one) => Math.min(some, one[of]), Number.POSITIVE_INFINITY);
  const work = new Map<string, number>();
  const add = (unit: string, cycles: number) => work.set(unit, (work.get(unit) ?? 0) + cycles);
  jobs.forEach((job, at) => {
    if (job.kind === "cpu" || !grids[at]) return;
    add(job.engine, least(at, "cycles"));
    add("dram", least(at, "moves"));
  });
  const choices: (readonly Planned["jobs"][number][])[] = [];
  for (const [at, job] of jobs.entries()) {
    const places = frame.places[at];
    const own = grids[at];
    if (job.kind === "cpu") choices.push([{ job }]);
    else if (!places || !own) choices.push([idleJob(job, at, frame)]);
    else {
      const spare = (unit: string) => limit * DOUBTFUL - (work.get(unit) ?? 0);
      const [cycles, moves] = [least(at, "cycles") + spare(job.engine), least(at, "moves") + spare("dram")];
      const hopeful = own.filter((one) => one.cycles < cycles && one.moves < moves);
      if (hopeful.length === 0) return undefined;
      choices.push((strips ? hopeful.slice(0, 1) : hopeful).map((one) => planOf(job, at, places, one)));
    }
  }
  return { frame, entry, choices };
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

/** Every choice of tensors that stay in SRAM; where there is room for all of many, only an input may not, which is then loaded for its reader. */
export function framesOf(entry: Prepared, target: Target): Frame[] {
  const roots = movableOf(entry);
  const inputs = [...roots].filter(({ kind }) => kind === "input");
  const plain = [new Set<Root>(), ...inputs.map((root) => new Set([root]))];
  const sets = isCrowded(roots, target) || roots.size <= FEW_ROOTS ? subsetsOf([...roots]) : plain;
  const found = new Map<string, Frame>();
  for (const away of sets) {
    const frame = frameOf(entry, target, { share: 0.25, alone: false }, away);
    const key = [...roots].map((root) => Number(frame.residency.resident.has(root))).join("");
    if (!found.has(key)) found.set(key, frame);
  }
  return [...found.values()];
}
