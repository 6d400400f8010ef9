/** Where in a memory things lie that live for a while: intervals of time × bytes, packed. */
import { type Component, commonUnit, components } from "./allocate/component.ts";
import { type Improved, improve } from "./allocate/improve.ts";

export interface Lifetime {
  readonly bytes: number;
  /** First and last moment at which the bytes are in use, both included. */
  readonly first: number;
  readonly last: number;
}

export interface Allocation {
  /** In the order of the lifetimes given. */
  readonly addresses: readonly number[];
  readonly peakBytes: number;
  /** The largest sum of bytes in use at one moment: no allocation has a lower peak. */
  readonly lowerBoundBytes: number;
  /** Whether no allocation at all has a lower peak: it meets the lower bound, or the search was exhaustive. */
  readonly optimal: boolean;
}

export interface AllocateOptions {
  /** A peak that is low enough; by default the lower bound. */
  readonly capacity?: number;
  /** A peak above this is of no use: nothing is searched where the lower bound is higher. */
  readonly limit?: number;
  /** Buffers and moments that the search may look at, beyond a quick first plan. */
  readonly steps?: number;
}

/** Some hundredths of a second: a compiler asks often. */
const STEPS = 4_000_000;

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** The sum of bytes in use at every moment from 0 to `moments` − 1. */
export function liveBytes(lifetimes: readonly Lifetime[], moments: number): Float64Array {
  const live = new Float64Array(moments + 1);
  for (const { bytes, first, last } of lifetimes) {
    live[first] += bytes;
    live[last + 1] -= bytes;
  }
  for (let moment = 1; moment <= moments; moment++) live[moment] += live[moment - 1];
  return live.subarray(0, moments);
}

/**
 * Addresses for all lifetimes, none overlapping another that lives at the same time; sizes are rounded up to `alignment`.
 * First fit, then a search that is exact if its steps suffice; when they end, the best plan found.
 */
export function allocate(
  given: readonly Lifetime[],
  alignment = 64,
  { capacity = 0, limit = Number.POSITIVE_INFINITY, steps = STEPS }: AllocateOptions = {},
): Allocation {
  const addresses = new Array<number>(given.length).fill(0);
  const present = [...given.keys()].filter((index) => given[index].bytes > 0);
  const buffers = present.map((index) => ({ ...given[index], size: alignUp(given[index].bytes, alignment) }));
  const unit = commonUnit(buffers.map(({ size }) => size));
  const parts = components(buffers, unit);
  const lowerBound = parts[0]?.lowerBound ?? 0;
  let goal = Math.max(lowerBound, Math.floor(capacity / unit));
  let [left, proven, peak] = [lowerBound * unit > limit ? 0 : steps, lowerBound, 0];
  for (const part of parts) {
    const found: Improved = improve(part, goal, left);
    left -= found.steps;
    proven = Math.max(proven, found.proven);
    peak = Math.max(peak, found.peak);
    goal = Math.max(goal, peak);
    placeMembers(part, found, unit, (index, address) => {
      addresses[present[index]] = address;
    });
  }
  return { addresses, peakBytes: peak * unit, lowerBoundBytes: lowerBound * unit, optimal: peak <= proven };
}

function placeMembers(
  { members }: Component,
  { addresses }: Improved,
  unit: number,
  place: (index: number, address: number) => void,
): void {
  members.forEach((index, at) => {
    place(index, addresses[at] * unit);
  });
}
