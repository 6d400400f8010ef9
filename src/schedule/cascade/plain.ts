/** What a job costs by itself, tile by tile, given what lies in SRAM around it. */
import { dramBytesPerCycle } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { finestGrid, memoryOf, type Places } from "../grid.ts";
import { placesOf } from "../residency.ts";
import { chooseGrid, type GridMemo } from "../tile.ts";
import { elementsOf, type View } from "../view.ts";
import type { CyclesOf } from "./estimate.ts";
import type { Work } from "./rows.ts";
import type { InSram } from "./segment.ts";

/**
 * Share of the vector unit's time, and of the transfers', that adds to the array's: most of it hides behind other work. A sum,
 * so that a segment's worth does not depend on how long it is.
 */
const VECTOR_WEIGHT = 0.5;
const DRAM_WEIGHT = 1;

/** What work and traffic count in cycles. */
export function timeOf(array: number, vector: number, traffic: number, target: Target): number {
  return array + VECTOR_WEIGHT * vector + (DRAM_WEIGHT * traffic) / dramBytesPerCycle(target);
}

/** Room for tiles is looked at in eighths of powers of two: layers alike are then searched once. */
function roundRoom(room: number): number {
  const eighth = 2 ** (Math.floor(Math.log2(room)) - 3);
  return Math.floor(room / eighth) * eighth;
}

function bytesOf({ root, shape }: View): number {
  return (elementsOf(shape) * root.bytes) / elementsOf(root.shape);
}

/** The cost of a job where `room` bytes are left for tiles; infinite where that is not enough. */
export type PlainCost = (work: Work, room: number, inSram: InSram) => number;

/** Layers that are alike, in places that are alike, are looked at once. */
export function plainCosts(cyclesOf: CyclesOf, target: Target): PlainCost {
  const grids: GridMemo = new Map();
  const known = new Map<string, number>();
  return (work, room, inSram) => {
    const places = placesOf(work.job, inSram);
    if (room <= 0) return Number.POSITIVE_INFINITY;
    const rounded = roundRoom(room);
    const key = `${work.index} ${rounded} ${places.inputs} ${places.output}`;
    const found = known.get(key) ?? costOf(work, rounded, places, cyclesOf, target, grids);
    known.set(key, found);
    return found;
  };
}

function costOf(work: Work, room: number, places: Places, cyclesOf: CyclesOf, target: Target, grids: GridMemo): number {
  const { job, constantBytes } = work;
  let staged = 0;
  job.inputs.forEach((view, input) => {
    if (view && places.inputs[input] === "stage") staged += bytesOf(view);
  });
  const written = places.output === "sram" ? 0 : bytesOf(job.output);
  const whole = staged + constantBytes + (places.output === "stage" ? written : 0);
  const cost = (cycles: number, traffic: number) =>
    timeOf(job.engine === "array" ? cycles : 0, job.engine === "vector" ? cycles : 0, traffic, target);
  if (whole <= room / 2) return cost(cyclesOf(work, work.count), constantBytes + staged + written);
  if (Math.min(whole, 2 * memoryOf(job, places, finestGrid(job), target).single) > room)
    return Number.POSITIVE_INFINITY;
  const found = chooseGrid(job, places, room, undefined, target, grids);
  if (!found) return Number.POSITIVE_INFINITY;
  return cost(
    found.cycles + found.tiles * target.issueCycles,
    found.traffic + (places.output === "direct" ? written : 0),
  );
}
