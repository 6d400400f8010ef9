import { describe, expect, it } from "vitest";
import { sharedMemory } from "../../src/run/wasm.ts";
import { arraysIn, roomIn, runsOf } from "../../src/train/memory.ts";

const places = (sizes: readonly number[]) => sizes.map((size, index) => ({ name: `${index}`, shape: [size] }));

describe("memory that parts share", () => {
  it("has an array of its own for each place and part, each at a line of the cache", () => {
    const memory = sharedMemory();
    const [room, another] = [roomIn(memory, places([1, 16, 0, 17]), 3), roomIn(memory, places([100_000]))];
    const arrays = [...[0, 1, 2].flatMap((part) => [...arraysIn(room, part).values()]), ...arraysIn(another).values()];
    expect(arrays.map(({ length }) => length)).toEqual([1, 16, 0, 17, 1, 16, 0, 17, 1, 16, 0, 17, 100_000]);
    for (const [index, array] of arrays.entries()) {
      expect(array.byteOffset % 64).toBe(0);
      array.fill(index);
    }
    for (const [index, array] of arrays.entries()) expect(array.every((each) => each === index)).toBe(true);
  });

  it.each<[number[], number, number[][]]>([
    [
      [10, 10, 10, 10],
      2,
      [
        [0, 2],
        [2, 4],
      ],
    ],
    [[10, 10, 10, 10], 1, [[0, 4]]],
    [
      [1000, 10, 10],
      2,
      [
        [0, 1],
        [1, 3],
      ],
    ],
    [
      [10, 10, 1000],
      2,
      [
        [0, 2],
        [2, 3],
      ],
    ],
    [
      [10, 20],
      8,
      [
        [0, 1],
        [1, 2],
      ],
    ],
    [[0, 0], 2, [[0, 2]]],
    [[], 2, []],
  ])("shares out %j in %s runs", (sizes, count, wanted) => {
    expect(runsOf(places(sizes), count).map(({ from, to }) => [from, to])).toEqual(wanted);
  });
});
