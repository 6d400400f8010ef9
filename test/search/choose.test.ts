import { describe, expect, test } from "vitest";
import { chainOf, expectationOf, narrow, type Priced, spread } from "../../src/search/choose.ts";

const plan = (loss: number, cycles: number, bytes: number): Priced => ({ loss, cycles, bytes });
const goal = { samples: 64, tries: 8 };

describe("the chain", () => {
  const front = [plan(9, 0, 10), plan(5, 4, 20), plan(6, 1, 30), plan(3, 2, 40), plan(1, 9, 40)];

  test("goes by bytes within a limit of time", () => {
    expect(chainOf(front, 1, 4).map(({ loss }) => loss)).toEqual([9, 5, 3]);
  });

  test("goes by time where there is none", () => {
    expect(chainOf(front, 1).map(({ loss }) => loss)).toEqual([9, 6, 3, 1]);
  });

  test("of plans that take about the same time has the lighter ones first", () => {
    expect(chainOf(front, 10).map(({ bytes, loss }) => `${bytes} ${loss}`)).toEqual(["10 9", "20 5", "40 3", "40 1"]);
  });

  test("is spread evenly where it is long", () => {
    expect(spread([...Array(100).keys()], 4)).toEqual([0, 33, 66, 99]);
    expect(spread([1, 2], 4)).toEqual([1, 2]);
  });
});

describe("narrowing", () => {
  const chain = Array.from({ length: 100 }, (_, at) => plan(100 - at, 0, at));

  /** Plans that lose as much as they are expected to, by another factor. */
  async function run(maxDrop: number, tries = 8, ms = (_: number) => 1, maxMs = 2) {
    const built: number[] = [];
    const best = await narrow(chain, { ...goal, maxDrop, maxMs }, tries, async (place) => {
      built.push(place);
      return { drop: 0.002 * chain[place].loss, ms: ms(place) };
    });
    return { best, built };
  }

  test("finds the cheapest plan that holds, in few tries", async () => {
    const { best, built } = await run(0.08);
    expect(best).toBe(60);
    expect(built.length).toBeLessThan(8);
    expect(built[0]).toBe(99);
  });

  test("gives what held when the tries are used up", async () => {
    const { best, built } = await run(0.19, 2);
    expect(built.length).toBe(2);
    expect(best).toBe(Math.min(...built));
  });

  test("gives nothing where the truest plan does not hold", async () => {
    expect(await run(0.001)).toEqual({ best: undefined, built: [99] });
  });

  test("goes on to cheaper plans where one is slower than expected", async () => {
    const { best, built } = await run(0.5, 8, (place) => (place > 97 ? 3 : 1));
    expect(built.slice(0, 3)).toEqual([99, 98, 97]);
    expect(best).toBeLessThan(20);
  });

  test("passes over plans that would be too slow if all are slower than expected by the same factor", async () => {
    const timed = Array.from({ length: 100 }, (_, at) => ({ ...plan(100 - at, 0, at), cycles: 1000 + 10 * at }));
    const built: number[] = [];
    const best = await narrow(timed, { ...goal, maxDrop: 1, maxMs: 1.99 }, 3, async (place) => {
      built.push(place);
      return { drop: 0, ms: (1.1 * timed[place].cycles) / 1000 };
    });
    // 1.1 · (1000 + 10 · 80) is 1980 microseconds, 1.1 · 1810 is 1991.
    expect(built.slice(0, 2)).toEqual([99, 80]);
    expect(best).toBe(built[2]);
  });

  test("takes the truest plan where the goal is time alone", async () => {
    const built: number[] = [];
    const best = await narrow(chain, { ...goal, maxMs: 2 }, 8, async (place) => {
      built.push(place);
      return { drop: 1, ms: 1 };
    });
    expect([best, built]).toEqual([99, [99]]);
  });
});

describe("the expected drop", () => {
  test("goes through nothing and the one plan that was built", () => {
    expect(expectationOf([{ loss: 4, drop: 0.02 }])).toEqual({ atNone: 0, perLoss: 0.005 });
    expect(expectationOf([])).toEqual({ atNone: 0, perLoss: 0 });
  });

  test("has a part that no format decides, and never falls", () => {
    const line = [1, 2, 5].map((loss) => ({ loss, drop: 0.01 + 0.003 * loss }));
    const { atNone, perLoss } = expectationOf(line);
    expect([atNone, perLoss]).toEqual([expect.closeTo(0.01), expect.closeTo(0.003)]);
    expect(expectationOf([...line, { loss: 50, drop: -1 }]).perLoss).toBe(0);
  });
});
