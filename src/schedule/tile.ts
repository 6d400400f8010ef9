/** The choice among grids: pipelining between engines where everything lies in SRAM, traffic where it does not. */
import { dramBytesPerCycle } from "../emulate/cycles.ts";
import type { Target } from "../target/schema.ts";
import { costOf, type Grid, type GridAxis, type GridCost, type GridMemory, memoryOf, type Places } from "./grid.ts";
import { listOf, signatureOf, workOf } from "./grid-facts.ts";
import type { Cut, TileJob } from "./job.ts";

/** Numbers of pieces that are tried on an axis. */
const PIECES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192];
/** Grids with more than this many times the fewest tiles that fit are not looked at. */
const TILE_SPREAD = 6;
/** With everything in SRAM more pieces only cost commands. */
const MAX_RESIDENT_PIECES = 8;
/** A tile shorter than this is not worth a command of its own when nothing has to be staged. */
const SHORT_TILE_CYCLES = 64;

/** Of the room for tiles, what a layer's constants may take if all of them stay until its end. */
const HELD_SHARE = 0.125;

/** Of a job's cycles, what it is worth if its largest tile makes little of the output. */
const UNEVENNESS = 0.02;

/** Cycles that a further tile must save to be worth its command. */
const TILE_PRICE = 9;

/** What readers wait for: half a strip with all its channels, and a little of the first tile. */
const [STRIP_WEIGHT, TILE_WEIGHT] = [0.5, 0.1];

/** Piece sizes on one axis, from whole to one quantum. `unit`: what the array takes at once, so that no tile is half empty. */
function sizesOf(job: TileJob, { axis, quantum }: Cut, unit: number, most: number): number[] {
  const length = job.output.shape[axis];
  const sizes = new Set<number>([length]);
  if (most >= Math.ceil(length / quantum)) sizes.add(Math.min(quantum, length));
  for (const pieces of PIECES) {
    if (pieces > most || pieces > Math.ceil(length / quantum)) break;
    const size = Math.ceil(length / quantum / pieces) * quantum;
    sizes.add(Math.min(length, size));
    const rounded = Math.ceil(size / (unit * quantum)) * unit * quantum;
    if (rounded < length) sizes.add(rounded);
  }
  return [...sizes].sort((a, b) => b - a);
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}

/** How many quanta of an axis fill the array exactly: channels by its columns, rows by pixels. */
function unitOf(job: TileJob, axis: number, target: Target): number {
  const { shape } = job.output;
  const { rows, columns } = target.array;
  if (job.cuts[0].axis === axis && shape.length === 4) return rows / greatestCommonDivisor(rows, shape[3]);
  if (shape.length === 4 && axis === 1) return columns;
  return axis === shape.length - 1 ? columns : axis === shape.length - 2 ? rows : 1;
}

/** Every grid over the axes given, in both loop orders; a batch axis is outermost. */
function* gridsOver(
  sizes: readonly { axis: number; sizes: readonly number[] }[],
  shape: readonly number[],
): Generator<Grid> {
  const chosen: GridAxis[] = [];
  function* choose(at: number): Generator<Grid> {
    if (at === sizes.length) {
      const cut = chosen.filter(({ axis, size }) => size < shape[axis]);
      yield [...cut];
      if (cut.length > 1) yield [...cut].reverse();
      return;
    }
    for (const size of sizes[at].sizes) {
      chosen.push({ axis: sizes[at].axis, size });
      yield* choose(at + 1);
      chosen.pop();
    }
  }
  yield* choose(0);
}

/** A half, a third or a fifth, whatever comes out even; else the number itself. */
function partOf(number: number): number {
  const parts = [2, 3, 5].find((count) => number % count === 0);
  return parts === undefined ? number : number / parts;
}

/** In how many steps all channels of a part of the output are there: what most readers wait for. */
function stripsOf(job: TileJob, grid: Grid): number {
  const { shape } = job.output;
  const channels = job.channelAxis ?? shape.length - 1;
  return grid.reduce((n, { axis, size }) => (axis === channels ? n : n * Math.ceil(shape[axis] / size)), 1);
}

/** The part of the output that the largest tile makes. */
function shareOf(job: TileJob, grid: Grid): number {
  return grid.reduce((share, { axis, size }) => (share * size) / job.output.shape[axis], 1);
}

/**
 * The pieces of a producer, made larger where tiles would not be worth their commands, and smaller where the next engine
 * would have to wait long for the first of them.
 */
function adapted(job: TileJob, like: Grid, cycles: number): Grid {
  const { shape } = job.output;
  const pieces = ({ axis, size }: GridAxis) => Math.ceil(shape[axis] / size);
  let grid = [...like];
  const length = () => cycles / grid.reduce((product, axis) => product * pieces(axis), 1);
  while (grid.length > 0 && length() < SHORT_TILE_CYCLES / 2) {
    const { axis, size } = grid[grid.length - 1];
    if (2 * size >= shape[axis]) grid.pop();
    else grid[grid.length - 1] = { axis, size: 2 * size };
  }
  const ideal = Math.sqrt(2 * TILE_PRICE * cycles);
  for (const { axis, quantum } of job.cuts) {
    const known = grid.find((one) => one.axis === axis)?.size ?? shape[axis];
    let size = known;
    while (length() > 2 * ideal && size > quantum) {
      // Pieces of a piece end where it ends, or a reader would wait for the next one.
      const part = (known < shape[axis] ? partOf(size / quantum) : Math.ceil(size / quantum / 2)) * quantum;
      if (part === size) break;
      size = part;
      grid = grid.some((one) => one.axis === axis)
        ? grid.map((one) => (one.axis === axis ? { axis, size } : one))
        : [...grid, { axis, size }];
    }
  }
  return grid;
}

/** A load arrives in pieces of at least this many bytes: longer than the latency, short beside what waits for it. */
const PIECE_BYTES = 262_144;
const MOST_PIECES = 16;

/**
 * Row by row, so that whoever reads an input can begin with its first rows; constants by their outermost axis, so that what
 * is read at once lies in one piece.
 */
function loadGrid(job: TileJob, places: Places, whole: GridCost, target: Target): GridCost {
  const { shape, root } = job.output;
  const pieces = Math.min(MOST_PIECES, Math.floor(root.bytes / PIECE_BYTES));
  const isRows = shape.length === 4 && shape[2] > 1 && job.inputs[0]?.root.kind !== "constant";
  const axis = isRows ? 2 : shape.findIndex((size) => size > 1);
  if (pieces < 2 || axis < 0) return whole;
  const grid = [{ axis, size: Math.ceil(shape[axis] / pieces) }];
  return costOf(job, memoryOf(job, places, grid, target), target);
}

/**
 * Everything but constants lies in SRAM: few tiles, cut so that the next engine can begin early, the array stays full and
 * constants arrive in pieces when they take longer than the work. `like`: the producer's pieces, for work that follows it.
 */
function residentGrid(
  job: TileJob,
  places: Places,
  budget: number,
  like: Grid | undefined,
  target: Target,
): GridCost | undefined {
  const perCycle = dramBytesPerCycle(target);
  const whole = costOf(job, memoryOf(job, places, [], target), target);
  const hold = whole.packageBytes <= budget * HELD_SHARE;
  const weightsLead = whole.packageBytes / perCycle > whole.cycles / 2;
  if (job.direct?.input === 0 && job.engine === "dma-in") return loadGrid(job, places, whole, target);
  if (whole.cycles < 2 * SHORT_TILE_CYCLES && whole.packageBytes <= budget / 2 && !weightsLead) return whole;
  if (like !== undefined && like.length > 0) {
    const same = costOf(job, memoryOf(job, places, adapted(job, like, whole.cycles), target, hold), target);
    if (same.double <= budget) return same;
  }
  const axes = job.cuts
    .filter(({ axis }) => job.output.shape[axis] > 1)
    .slice(0, 2)
    .map((cut, index) => {
      const constantsMove = index === 1 || places.inputs.every((place) => place !== "package");
      const most = constantsMove && whole.packageBytes > budget / 4 ? 8192 : weightsLead ? 64 : MAX_RESIDENT_PIECES;
      return { axis: cut.axis, sizes: sizesOf(job, cut, unitOf(job, cut.axis, target), most) };
    });
  let best: GridCost | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (const grid of gridsOver(axes, job.output.shape)) {
    const memory = memoryOf(job, places, grid, target, hold);
    if (memory.double > budget) continue;
    const cost = costOf(job, memory, target);
    if (cost.tiles > 1 && cost.cycles / cost.tiles < SHORT_TILE_CYCLES / 2 && !weightsLead) continue;
    const refetched = (cost.traffic - whole.traffic) / perCycle;
    const score =
      Math.max(cost.cycles, cost.traffic / perCycle) +
      refetched +
      cost.tileCycles * TILE_WEIGHT +
      (cost.cycles / stripsOf(job, grid)) * STRIP_WEIGHT +
      // Even pieces cost the array the same and keep the units that follow evenly busy.
      UNEVENNESS * whole.cycles * shareOf(job, grid) +
      cost.packageBytes / perCycle +
      cost.tiles * TILE_PRICE;
    if (score < bestScore) [best, bestScore] = [cost, score];
  }
  return best;
}

/** Every grid over the cuts. */
function stagedMemories(job: TileJob, places: Places, cuts: readonly Cut[], target: Target): GridMemory[] {
  const axes = cuts.map((cut, index) => {
    const unit = index < 2 || cuts.length > 3 ? unitOf(job, cut.axis, target) : 1;
    return { axis: cut.axis, sizes: sizesOf(job, cut, unit, 8192) };
  });
  return Array.from(gridsOver(axes, job.output.shape), (grid) => memoryOf(job, places, grid, target));
}

/** Something is staged: the least time of array or DRAM, whichever is longer, among the grids that fit. */
function stagedGrid(job: TileJob, places: Places, budget: number, target: Target): GridCost | undefined {
  const perCycle = dramBytesPerCycle(target);
  const long = job.cuts.filter(({ axis }) => job.output.shape[axis] > 1);
  // Two axes give all that matters; further ones are cut, to the finest, only where nothing else fits.
  for (let count = Math.min(2, long.length); count <= long.length; count++) {
    const name = `${count} ${places.inputs} ${places.output}`;
    const all = listOf(job, target, name, () => stagedMemories(job, places, long.slice(0, count), target));
    const fitting = all.filter(({ single }) => single <= budget);
    if (fitting.length === 0) continue;
    return bestOf(job, fitting, budget, perCycle, target);
  }
  return undefined;
}

function bestOf(job: TileJob, fitting: readonly GridMemory[], budget: number, perCycle: number, target: Target) {
  const overlapped = fitting.filter((memory) => memory.double <= budget);
  const candidates = overlapped.length > 0 ? overlapped : fitting;
  const fewest = candidates.reduce((least, { tiles }) => Math.min(least, tiles), Number.POSITIVE_INFINITY);
  let best: GridMemory | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (const memory of candidates) {
    if (memory.tiles > fewest * TILE_SPREAD) continue;
    const transfer = memory.traffic / perCycle + memory.tiles * 8;
    // Neither the work nor the fill makes it better.
    if (transfer >= bestScore) continue;
    const { cycles, tileCycles } = workOf(job, memory.grid, target);
    const compute = cycles + memory.tiles * (target.issueCycles + 8);
    const fill = (tileCycles + memory.single / perCycle) / 2;
    const score = (overlapped.length > 0 ? Math.max(transfer, compute) : transfer + compute) + fill;
    if (score < bestScore) [best, bestScore] = [memory, score];
  }
  return best && costOf(job, best, target);
}

/** Layers repeat: what was found for one holds for the next that is the same in everything that matters. */
export type GridMemo = Map<string, GridCost | undefined>;

function keyOf(job: TileJob, places: Places, budget: number, like: Grid | undefined): string {
  const pieces = like?.map(({ axis, size }) => `${axis}:${size}`) ?? "-";
  return `${places.inputs} ${places.output} ${budget} ${pieces} ${signatureOf(job)}`;
}

/** The grid of a job whose staging may take `budget` bytes; undefined where no grid fits. */
export function chooseGrid(
  job: TileJob,
  places: Places,
  budget: number,
  like: Grid | undefined,
  target: Target,
  memo: GridMemo,
): GridCost | undefined {
  const key = keyOf(job, places, budget, like);
  if (!memo.has(key)) memo.set(key, searchGrid(job, places, budget, like, target));
  return memo.get(key);
}

function searchGrid(
  job: TileJob,
  places: Places,
  budget: number,
  like: Grid | undefined,
  target: Target,
): GridCost | undefined {
  const staged = [...places.inputs, places.output].includes("stage");
  return staged
    ? stagedGrid(job, places, budget, target)
    : (residentGrid(job, places, budget, like, target) ?? stagedGrid(job, places, budget, target));
}
