import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readInstance } from "../../bench/backend/instance.ts";
import { luby, roughLog } from "../../src/schedule/allocate/restarts.ts";
import { type Allocation, alignUp, allocate, type Lifetime } from "../../src/schedule/allocate.ts";
import { Heap } from "../../src/schedule/heap.ts";

const CAPACITY = 1_048_576;

const lifetime = fc
  .tuple(fc.integer({ min: 1, max: 5000 }), fc.nat(30), fc.nat(10))
  .map(([bytes, first, length]): Lifetime => ({ bytes, first, last: first + length }));

/** Few sizes and short lives, so that gaps and twins are common. */
const small = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.nat(4), fc.nat(3))
  .map(([bytes, first, length]): Lifetime => ({ bytes, first, last: first + length }));

const meet = (a: Lifetime, b: Lifetime): boolean => a.first <= b.last && b.first <= a.last;

function expectLegal(lifetimes: readonly Lifetime[], allocation: Allocation, alignment: number): void {
  const { addresses, peakBytes, lowerBoundBytes } = allocation;
  expect(peakBytes).toBeGreaterThanOrEqual(lowerBoundBytes);
  const wrong = lifetimes.flatMap((a, i) => {
    const [begin, end] = [addresses[i], addresses[i] + a.bytes];
    const crossed = lifetimes.findIndex((b, j) => {
      return j < i && meet(a, b) && begin < addresses[j] + b.bytes && addresses[j] < end;
    });
    return begin % alignment !== 0 || begin < 0 || end > peakBytes || crossed >= 0 ? [{ i, begin, end, crossed }] : [];
  });
  expect(wrong).toEqual([]);
}

/** The lowest peak of all: whatever the best plan, placing its buffers by address, each as low as it goes, is no worse. */
function bestPeak(lifetimes: readonly Lifetime[]): number {
  let best = Number.POSITIVE_INFINITY;
  const placed: (Lifetime & { address: number })[] = [];
  const visit = (left: readonly Lifetime[], peak: number): void => {
    if (peak >= best) return;
    if (left.length === 0) best = peak;
    left.forEach((one, index) => {
      const others = placed.filter((other) => meet(one, other)).sort((a, b) => a.address - b.address);
      let address = 0;
      for (const other of others) {
        if (other.address - address >= one.bytes) break;
        address = Math.max(address, other.address + other.bytes);
      }
      placed.push({ ...one, address });
      visit(left.toSpliced(index, 1), Math.max(peak, address + one.bytes));
      placed.pop();
    });
  };
  visit(lifetimes, 0);
  return best;
}

describe("allocation of lifetimes", () => {
  test("nothing that lives at the same time overlaps, and the bound holds", () => {
    fc.assert(
      fc.property(fc.array(lifetime, { maxLength: 40 }), fc.constantFrom(1, 64, 256), (lifetimes, alignment) => {
        expectLegal(lifetimes, allocate(lifetimes, alignment, { steps: 20_000 }), alignment);
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  test("of few buffers the peak is the lowest possible, and is known to be", () => {
    fc.assert(
      fc.property(fc.array(small, { minLength: 1, maxLength: 6 }), (lifetimes) => {
        const { peakBytes, optimal } = allocate(lifetimes, 1);
        expect({ peakBytes, optimal }).toEqual({ peakBytes: bestPeak(lifetimes), optimal: true });
      }),
      { numRuns: 400, seed: 6 },
    );
  });

  test("a peak above the lower bound can be the lowest possible", () => {
    const rows = [
      [3, 0, 1],
      [2, 0, 0],
      [1, 1, 2],
      [1, 1, 3],
      [2, 2, 2],
      [1, 2, 3],
      [3, 3, 4],
      [2, 4, 4],
    ];
    const lifetimes = rows.map(([bytes, first, last]): Lifetime => ({ bytes, first, last }));
    const allocation = allocate(lifetimes, 1);
    expect(allocation).toMatchObject({ peakBytes: 6, lowerBoundBytes: 5, optimal: true });
    expect(bestPeak(lifetimes)).toBe(6);
    expectLegal(lifetimes, allocation, 1);
  });

  test.each([
    { name: "nothing", lifetimes: [], peak: 0 },
    { name: "one", lifetimes: [{ bytes: 65, first: 0, last: 3 }], peak: 128 },
    { name: "empty ones", lifetimes: [{ bytes: 0, first: 0, last: 3 }], peak: 0 },
    {
      name: "a chain reuses the bytes of the one before the last",
      lifetimes: [0, 1, 2, 3].map((at) => ({ bytes: 64, first: at, last: at + 1 })),
      peak: 128,
    },
    {
      name: "sizes beyond 32 bits",
      lifetimes: [0, 1, 2, 3].map((at) => ({ bytes: 2 ** 40 + 64 * at, first: at, last: at + 1 })),
      peak: 2 ** 41 + 64 * 5,
    },
  ])("$name", ({ lifetimes, peak }) => {
    expect(allocate(lifetimes).peakBytes).toBe(peak);
  });
});

describe("instances that first fit does not solve", () => {
  test.each(["A", "C", "E", "G", "J"])("%s fits in 1 MiB", (name) => {
    const { lifetimes } = readInstance(`fixtures/minimalloc/${name}.csv`);
    const allocation = allocate(lifetimes, 1, { capacity: CAPACITY, steps: 300_000_000 });
    expect(allocation.peakBytes).toBeLessThanOrEqual(CAPACITY);
    expectLegal(lifetimes, allocation, 1);
  });

  test("nothing is searched where no plan can be of use", () => {
    const { lifetimes } = readInstance("fixtures/minimalloc/C.csv");
    const plain = allocate(lifetimes, 1, { steps: 0 });
    expect(allocate(lifetimes, 1, { limit: 1_000_000 })).toEqual(plain);
    expect(allocate(lifetimes, 1, { limit: CAPACITY }).peakBytes).toBeLessThan(plain.peakBytes);
  });

  test("when the steps end, the best plan found is given, the same every time", () => {
    const { lifetimes } = readInstance("fixtures/minimalloc/A.csv");
    const plain = allocate(lifetimes, 1, { steps: 0 });
    const some = allocate(lifetimes, 1, { steps: 8_000_000 });
    expect(allocate(lifetimes, 1, { steps: 8_000_000 })).toEqual(some);
    expectLegal(lifetimes, some, 1);
    expect(some.optimal).toBe(false);
    expect(some.peakBytes).toBeGreaterThan(some.lowerBoundBytes);
    expect(some.peakBytes).toBeLessThan(plain.peakBytes);
  });
});

describe("what the search is made of", () => {
  test("Luby's sequence", () => {
    expect(Array.from({ length: 15 }, (_, at) => luby(at + 1))).toEqual([1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8]);
  });

  test("the logarithm is exact at powers of two and grows in between", () => {
    expect([1, 2, 1024, 1 / 8].map(roughLog)).toEqual([0, 1, 10, -3]);
    expect(roughLog(3)).toBe(1.5);
  });

  test("sizes are rounded up to the alignment", () => {
    expect(alignUp(65, 64)).toBe(128);
  });
});

describe("the heap of what streams", () => {
  test("hands out disjoint blocks above the floor and takes them back", () => {
    const heap = new Heap(1024, 64);
    expect(heap.take(100, 0, false)).toBe(0);
    expect(heap.take(64, 0, true)).toBe(960);
    expect(heap.take(64, 200, false)).toBe(256);
    expect(heap.take(700, 0, false)).toBeUndefined();
    heap.give(256);
    expect(heap.take(700, 0, false)).toBe(128);
    expect(heap.peak).toBe(1024);
  });
});
