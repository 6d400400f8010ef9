import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Option, paretoFront, sumOf } from "../../src/search/knapsack.ts";

const option = fc.record({
  loss: fc.integer({ min: 0, max: 9 }),
  cycles: fc.integer({ min: -3, max: 6 }),
  bytes: fc.integer({ min: -9, max: 9 }),
});
const items = fc.array(fc.array(option, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });

/** Every selection there is. */
function all(list: readonly (readonly Option[])[]): Option[] {
  const choices = list.reduce<number[][]>((found, own) => found.flatMap((c) => own.map((_, at) => [...c, at])), [[]]);
  return choices.map((choice) => sumOf(list, choice));
}

const figures = ({ loss, cycles, bytes }: Option) => `${loss} ${cycles} ${bytes}`;
const beats = (a: Option, b: Option) =>
  a.loss <= b.loss && a.cycles <= b.cycles && a.bytes <= b.bytes && figures(a) !== figures(b);

describe("the front of a multiple-choice knapsack", () => {
  test("is what trying everything finds", () => {
    fc.assert(
      fc.property(items, (list) => {
        const every = all(list);
        const wanted = new Set(every.filter((one) => !every.some((other) => beats(other, one))).map(figures));
        const found = paretoFront(list);
        expect(new Set(found.map(figures))).toEqual(wanted);
        for (const { choice, ...sum } of found) expect(sumOf(list, choice)).toEqual(sum);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  test("stays small where there are very many items", () => {
    const list = Array.from({ length: 300 }, (_, at) => [
      { loss: 0, cycles: 10 + (at % 7), bytes: 900 + at },
      { loss: 1 + (at % 5), cycles: 9, bytes: 500 },
    ]);
    const found = paretoFront(list);
    expect(found.length).toBeGreaterThan(10);
    expect(found.some(({ loss }) => loss === 0)).toBe(true);
  });

  test("of costs too fine to be told apart is near it", () => {
    const list = Array.from({ length: 12 }, (_, at) => [
      { loss: 0, cycles: 1000 + 7 * at, bytes: 90_001 },
      { loss: at + 1, cycles: 900, bytes: 40_000 + 13 * at },
    ]);
    const found = paretoFront(list);
    expect(found[0].bytes).toBe(all(list).reduce((least, { bytes }) => Math.min(least, bytes), Infinity));
    expect(found.some(({ loss }) => loss === 0)).toBe(true);
    expect(found.length).toBeGreaterThan(12);
  });
});
