/** Float32 numbers that lie one after the other in one piece of memory: weights and gradients, where threads share them. */
import { elementCount } from "../ir/graph.ts";

/** What lies in a piece of memory, in order. */
export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Memory that several parts share, each with all of `places`. */
export interface Room {
  readonly memory: ArrayBufferLike;
  readonly places: readonly Place[];
}

/** How many numbers all of them are. */
export function sizeOf(places: readonly Place[]): number {
  return places.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/** The arrays of a part of the memory, by name. */
export function arraysIn({ memory, places }: Room, part = 0): Map<string, Float32Array> {
  let at = 4 * part * sizeOf(places);
  return new Map(
    places.map(({ name, shape }) => {
      const array = new Float32Array(memory, at, elementCount(shape));
      at += array.byteLength;
      return [name, array];
    }),
  );
}
