import { describe, expect, it } from "vitest";
import { batchAt, epochOrder, rateAt } from "../../src/train/schedule.ts";

describe("schedules", () => {
  it("warm up, then fall as half a cosine", () => {
    const rates = Array.from({ length: 8 }, (_, step) => rateAt({ peak: 1, steps: 8, warmUp: 4, least: 0.2 }, step));
    const wanted = [0.25, 0.5, 0.75, 1, 1, 0.882843, 0.6, 0.317157];
    expect(rates).toEqual(wanted.map((each) => expect.closeTo(each, 5)));
    expect(rateAt({ peak: 3, steps: 2, shape: "constant" }, 99)).toBe(3);
  });

  it("every epoch holds every sample once, in an order of its own that the seed decides", () => {
    const orders = [0, 1].map((epoch) => epochOrder(50, "seed", epoch));
    for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual([...new Array(50).keys()]);
    expect(orders[0]).not.toEqual(orders[1]);
    expect(epochOrder(50, "seed", 1)).toEqual(orders[1]);
    expect(epochOrder(50, "other", 1)).not.toEqual(orders[1]);
  });

  it("batches follow the epoch's order", () => {
    const plan = { samples: 10, batch: 4, seed: 3 };
    const order = epochOrder(10, 3, 1);
    expect(batchAt(plan, 3)).toEqual({ epoch: 1, indices: order.slice(4, 8) });
    expect(() => batchAt({ ...plan, batch: 11 }, 0)).toThrow(RangeError);
  });
});
