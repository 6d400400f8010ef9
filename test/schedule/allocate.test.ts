import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocate, type Lifetime } from "../../src/schedule/allocate.ts";
import { Heap } from "../../src/schedule/heap.ts";

const lifetime = fc
  .tuple(fc.integer({ min: 1, max: 5000 }), fc.nat(30), fc.nat(10))
  .map(([bytes, first, length]): Lifetime => ({ bytes, first, last: first + length }));

describe("allocation of lifetimes", () => {
  test("nothing that lives at the same time overlaps, and the bound holds", () => {
    fc.assert(
      fc.property(fc.array(lifetime, { maxLength: 40 }), (lifetimes) => {
        const { addresses, peakBytes, lowerBoundBytes } = allocate(lifetimes, 64);
        expect(peakBytes).toBeGreaterThanOrEqual(lowerBoundBytes);
        lifetimes.forEach((a, i) => {
          expect(addresses[i] % 64).toBe(0);
          expect(addresses[i] + a.bytes).toBeLessThanOrEqual(peakBytes);
          for (let j = 0; j < i; j++) {
            const b = lifetimes[j];
            const together = a.first <= b.last && b.first <= a.last;
            const apart = addresses[i] + a.bytes <= addresses[j] || addresses[j] + b.bytes <= addresses[i];
            expect(!together || apart).toBe(true);
          }
        });
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  test.each([
    { name: "nothing", lifetimes: [], peak: 0 },
    { name: "one", lifetimes: [{ bytes: 65, first: 0, last: 3 }], peak: 128 },
    {
      name: "a chain reuses the bytes of the one before the last",
      lifetimes: [0, 1, 2, 3].map((at) => ({ bytes: 64, first: at, last: at + 1 })),
      peak: 128,
    },
  ])("$name", ({ lifetimes, peak }) => {
    expect(allocate(lifetimes).peakBytes).toBe(peak);
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
