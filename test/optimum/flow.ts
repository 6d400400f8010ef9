/** A job under one grid as tiles with what they cost and wait for: bounds on every order of a plan's tiles. */
import { costOf } from "../../src/emulate/costs.ts";
import { burstBytes, dramBytesPerCycle, engineCycles } from "../../src/emulate/cycles.ts";
import type { Grid } from "../../src/schedule/grid.ts";
import { sizedCommand } from "../../src/schedule/grid-facts.ts";
import type { TileJob } from "../../src/schedule/job.ts";
import { planJob, type StreamItem } from "../../src/schedule/stream.ts";
import { type Box, boundsOf, boxesOverlap, boxView, operandOf, type Root, type View } from "../../src/schedule/view.ts";
import type { Target } from "../../src/target/schema.ts";
import { isNothing, placesIn } from "./space.ts";

/** Engines that keep their own order: array, vector unit, loads, stores. */
export const UNITS = 4;
const [ARRAY, VECTOR, IN, OUT] = [0, 1, 2, 3];
const UNIT = { array: ARRAY, vector: VECTOR, "dma-in": IN, "dma-out": OUT } as const;

interface Access {
  readonly root: Root;
  readonly box: Box;
}

/** A tile: it holds its engine for `cycles`, what it brings from DRAM is there `load` after that can be read, and `behind` is what follows it. */
export interface Tile {
  readonly cycles: number;
  readonly load: number;
  readonly behind: number;
  readonly reads: readonly Access[];
  readonly write: Access;
}

/** A job under one grid. */
export interface Option {
  readonly planned: ReturnType<typeof planJob>;
  readonly unit: number;
  readonly tiles: readonly Tile[];
  /** Cycles of each engine, then those of the DRAM for all that it moves. */
  readonly works: Float64Array;
}

/** `hold`: constants are loaded once and stay until the last tile. Offsets are stand-ins: constants come at multiples of 64 bytes. */
export function optionOf(
  job: TileJob,
  index: number,
  grid: Grid,
  hold: boolean,
  inSram: (root: Root) => boolean,
  skipped: boolean,
  target: Target,
): Option {
  const places = placesIn(job, inSram);
  const unit = job.engine === "cpu" ? OUT : UNIT[job.engine];
  if (skipped || isNothing(job, inSram)) {
    return {
      planned: { job, index, grid: [], places, tiles: [], items: [] },
      unit,
      tiles: [],
      works: new Float64Array(UNITS + 1),
    };
  }
  const planned = planJob(job, index, grid, places, hold);
  let offset = 0;
  for (const item of planned.items) {
    if (item.kind !== "package") continue;
    item.offset = offset;
    offset += Math.ceil(item.bytes / 64) * 64;
  }
  const perCycle = dramBytesPerCycle(target);
  const { latencyCycles } = target.dma;
  const bus = (view: View) => Math.ceil(burstBytes(operandOf(view, "dram", 0), target) / perCycle);
  const brought = (item: StreamItem) =>
    item.view && item.box ? bus(boxView(item.view, item.box)) : Math.ceil(item.bytes / perCycle);
  let dram = 0;
  const tiles = planned.tiles.map((tile, number): Tile => {
    const { box, needs, items, output } = tile;
    const fresh = [...new Set(items)].filter((item): item is StreamItem => item?.first === number);
    const loads = fresh.map(brought);
    const write = boxView(job.output, box);
    const store = output ? bus(write) : 0;
    const isTransfer = unit === IN || unit === OUT;
    const body = sizedCommand(job, box);
    const command = { ...body, npu: 0, waits: [], origin: [] };
    const cycles = isTransfer
      ? costOf(command, target, perCycle).cycles
      : engineCycles(body, target) + target.issueCycles;
    dram += loads.reduce((sum, one) => sum + one, store) + (isTransfer ? cycles : 0);
    return {
      cycles,
      load: loads.length > 0 ? Math.max(...loads) + latencyCycles : 0,
      behind: (output ? store + latencyCycles : 0) + (isTransfer ? latencyCycles : 0),
      reads: job.inputs.flatMap((view, at) => {
        const need = needs[at];
        return view && need && view.root.kind !== "constant"
          ? [{ root: view.root, box: boundsOf(boxView(view, need)) }]
          : [];
      }),
      write: { root: job.output.root, box: boundsOf(write) },
    };
  });
  const works = new Float64Array(UNITS + 1);
  works[unit] = tiles.reduce((sum, { cycles }) => sum + cycles, 0);
  works[UNITS] = dram;
  return { planned, unit, tiles, works };
}

/** By tile of `reader`, the tiles of `maker` whose bytes it reads. */
export function linksOf(maker: Option, reader: Option): number[][] {
  return reader.tiles.map(({ reads }) =>
    maker.tiles.flatMap(({ write }, at) =>
      reads.some(({ root, box }) => root === write.root && boxesOverlap(box, write.box)) ? [at] : [],
    ),
  );
}

/** The tiles of a plan, numbered job after job. */
export interface Flow {
  readonly count: number;
  readonly job: Int32Array;
  readonly tile: Int32Array;
  readonly unit: Int32Array;
  readonly cycles: Float64Array;
  readonly before: readonly (readonly number[])[];
  /** The earliest start, and the least from a tile's end until that of the run. */
  readonly head: Float64Array;
  readonly tail: Float64Array;
  /** The least delay from the end of a maker to the start of its readers. */
  readonly gap: Float64Array;
  /** No order of the tiles ends sooner. */
  readonly bound: number;
}

/** `links(maker, reader)`: as `linksOf` for two of the jobs. */
export function flowOf(
  options: readonly Option[],
  links: (maker: number, reader: number) => readonly (readonly number[])[],
): Flow {
  const first: number[] = [];
  let count = 0;
  for (const { tiles } of options) {
    first.push(count);
    count += tiles.length;
  }
  const [job, tile, unit] = [new Int32Array(count), new Int32Array(count), new Int32Array(count)];
  const [cycles, gap, head, tail] = Array.from({ length: 4 }, () => new Float64Array(count));
  const before: number[][] = Array.from({ length: count }, () => []);
  const work = new Float64Array(UNITS);
  let dram = 0;
  for (const [at, own] of options.entries()) {
    dram += own.works[UNITS];
    own.tiles.forEach((one, number) => {
      const id = first[at] + number;
      [job[id], tile[id], unit[id], cycles[id], gap[id]] = [at, number, own.unit, one.cycles, one.behind];
      work[own.unit] += one.cycles;
      head[id] = one.load;
      // The tiles of a job come in the order of its loops.
      if (number > 0) before[id].push(id - 1);
    });
    for (let maker = 0; maker < at; maker++) {
      if (options[maker].tiles.length === 0 || own.tiles.length === 0) continue;
      links(maker, at).forEach((makers, number) => {
        for (const made of makers) before[first[at] + number].push(first[maker] + made);
      });
    }
  }
  let bound = 0;
  for (let id = 0; id < count; id++) {
    for (const other of before[id]) {
      const sameJob = job[other] === job[id];
      head[id] = Math.max(head[id], head[other] + cycles[other] + (sameJob ? 0 : gap[other]));
    }
  }
  for (let id = count - 1; id >= 0; id--) {
    tail[id] = Math.max(tail[id], gap[id]);
    for (const other of before[id]) {
      const sameJob = job[other] === job[id];
      tail[other] = Math.max(tail[other], (sameJob ? 0 : gap[other]) + cycles[id] + tail[id]);
    }
    bound = Math.max(bound, head[id] + cycles[id] + tail[id]);
  }
  const [least, last] = [new Float64Array(UNITS).fill(Infinity), new Float64Array(UNITS).fill(Infinity)];
  for (let id = 0; id < count; id++) {
    least[unit[id]] = Math.min(least[unit[id]], head[id]);
    last[unit[id]] = Math.min(last[unit[id]], tail[id]);
  }
  for (let one = 0; one < UNITS; one++) if (work[one] > 0) bound = Math.max(bound, least[one] + work[one] + last[one]);
  return { count, job, tile, unit, cycles, before, head, tail, gap, bound: Math.max(bound, dram) };
}
