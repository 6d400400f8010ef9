/** Float32 numbers that lie one after the other in one piece of memory: weights and gradients, where threads share them. */
import { elementCount } from "../ir/graph.ts";
import { grownBy, type SharedMemory } from "../run/wasm.ts";

/** What lies in a piece of memory, in order. */
export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Memory that several parts share, each with all of `places`. */
export interface Room {
  readonly memory: ArrayBufferLike;
  /** Where it begins in the memory, in bytes; 0 unless said. */
  readonly start?: number;
  readonly places: readonly Place[];
}

/**
 * Each begins at a multiple of so many numbers, a cache line: kernels want multiples of four, and V8 copies shared memory byte by
 * byte where eight of them are not aligned.
 */
const LINE = 16;

function roomFor({ shape }: Place): number {
  return LINE * Math.ceil(elementCount(shape) / LINE);
}

/** How many numbers take the room of all of them. */
export function sizeOf(places: readonly Place[]): number {
  return places.reduce((sum, place) => sum + roomFor(place), 0);
}

/** The arrays of a part of the memory, by name. */
export function arraysIn({ memory, start = 0, places }: Room, part = 0): Map<string, Float32Array> {
  let at = start + 4 * part * sizeOf(places);
  return new Map(
    places.map((place) => {
      const array = new Float32Array(memory, at, elementCount(place.shape));
      at += 4 * roomFor(place);
      return [place.name, array];
    }),
  );
}

/** Room for so many parts, taken of a memory that threads share; zeros at first. */
export function roomIn(shared: SharedMemory, places: readonly Place[], parts = 1): Room {
  const start = grownBy(shared, 4 * parts * sizeOf(places));
  return { places, start, memory: shared.buffer };
}

/** Places `from` up to, not including, `to`. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** All places in at most `count` runs that take about as much room each. */
export function runsOf(places: readonly Place[], count: number): Run[] {
  const share = sizeOf(places) / count;
  const runs: Run[] = [];
  let [from, passed] = [0, 0];
  for (const [index, place] of places.entries()) {
    const size = roomFor(place);
    // The place whose middle lies beyond the run's share begins the next one.
    if (index > from && passed + size / 2 > share * (runs.length + 1)) {
      runs.push({ from, to: index });
      from = index;
    }
    passed += size;
  }
  if (from < places.length) runs.push({ from, to: places.length });
  return runs;
}
