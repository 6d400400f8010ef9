import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Samples } from "../../src/pass.ts";
import { calibrate } from "../../src/quant/calibrate.ts";
import { total } from "../../src/quant/histogram.ts";
import type { Wanted } from "../../src/quant/probe.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

/** `big` has 40,000 numbers: too many to be taken out of the runtime whole; `small` has 16. */
const GRAPH = `
  input x: float32[1,4,100,100]
  const w: float32[4,4,1,1] = random(1)
  big = Conv(x, w)
  r = Relu(big)
  small = AveragePool(r) kernel_shape=[50,50] strides=[50,50]
  return small
`;

const samplesOf = (graph: Graph, size = 12): Samples => ({ size, feeds: (index) => seededFeeds(graph, index + 1) });

const look = (graph: Graph, wanted: Partial<Wanted>, { samples = samplesOf(graph), jobs = 1 } = {}) =>
  calibrate(graph, { values: [], extremes: [], channels: [], ...wanted }, samples, { samples: 12, jobs });

/** Every number of a value over the samples, in float32 as the interpreter computes it. */
function numbersOf(graph: Graph, name: string, count = 12): number[][] {
  return Array.from({ length: count }, (_, index) => {
    const values = interpret({ ...graph, outputs: [name] }, seededFeeds(graph, index + 1));
    return [...((values.get(name) as Tensor).data as Float32Array)];
  });
}

describe("probes", () => {
  it("find the extremes of all numbers, and share out the sampled ones evenly", async () => {
    const graph = prepare(GRAPH);
    const { histograms } = await look(graph, { values: ["big", "small"], extremes: ["r"] });
    const all = numbersOf(graph, "big").map((list) => [Math.min(...list), Math.max(...list)]);
    const big = histograms.get("big");
    expect(big?.minimum).toBeCloseTo(Math.min(...all.map(([low]) => low)), 4);
    expect(big?.maximum).toBeCloseTo(Math.max(...all.map(([, high]) => high)), 4);
    // A number that stands for its step's others counts as many.
    expect(total(big!) / (12 * 40_000)).toBeCloseTo(1, 2);
    expect(total(histograms.get("small")!)).toBe(12 * 16);
    const relu = histograms.get("r");
    expect([relu?.minimum, relu?.maximum]).toEqual([0, big?.maximum]);
    expect(total(relu!)).toBe(0);
  });

  it("give the same whatever the number of workers", async () => {
    const graph = prepare(GRAPH);
    const wanted: Partial<Wanted> = {
      values: ["x", "big"],
      channels: [{ value: "big", axis: 1, moment: 1 }],
    };
    expect(await look(graph, wanted, { jobs: 2 })).toEqual(await look(graph, wanted));
  });

  it("average channels: as they are, as their codes tell them, and their eighth powers without overflow", async () => {
    const graph = prepare(
      GRAPH.replace(
        "w: float32[4,4,1,1] = random(1)",
        "w: float32[4,4,1,1] = [1000000, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]",
      ),
    );
    const grid = { dtype: "int8", scale: 0.25, zero: 3 } as const;
    const { channels } = await look(graph, {
      channels: [
        { value: "big", axis: 1, moment: 1 },
        { value: "x", axis: 1, moment: 1, grid },
        { value: "big", axis: 1, moment: 8 },
      ],
    });
    const [sums, coded, eighths] = [0, 0, 0].map(() => new Float64Array(4));
    const [big, x] = [numbersOf(graph, "big"), numbersOf(graph, "x")];
    for (let sample = 0; sample < 12; sample++) {
      for (let at = 0; at < 40_000; at++) {
        const channel = Math.floor(at / 10_000);
        sums[channel] += big[sample][at] / 120_000;
        eighths[channel] += big[sample][at] ** 8 / 120_000;
        coded[channel] += (Math.min(124, Math.max(-131, Math.round(x[sample][at] / 0.25))) * 0.25) / 120_000;
      }
    }
    for (let channel = 0; channel < 4; channel++) {
      const close = (found: number, wanted: number, digits: number) =>
        expect(Math.abs(found - wanted)).toBeLessThanOrEqual(10 ** -digits * Math.max(Math.abs(wanted), 1e-2));
      close(channels[0][channel], sums[channel], 2);
      close(channels[1][channel], coded[channel], 2);
      close(channels[2][channel], eighths[channel], 4);
    }
  });

  it("see every NaN and infinity, also those between the sampled numbers", async () => {
    const graph = prepare(`
      input x: float32[1,1,200,200]
      a = Sqrt(x)
      y = Relu(a)
      return y
    `);
    const withOne = (value: number): Samples => ({
      size: 8,
      feeds: (index) =>
        new Map([
          ["x", float32([1, 1, 200, 200], new Float32Array(40_000).fill(1).fill(value, 7, index === 5 ? 8 : 7))],
        ]),
    });
    const wanted = { values: ["a"] };
    await expect(look(graph, wanted, { samples: withOne(4) })).resolves.toBeDefined();
    for (const bad of [-1, Number.POSITIVE_INFINITY, Number.NaN]) {
      await expect(look(graph, wanted, { samples: withOne(bad) })).rejects.toMatchObject({ code: "model/not-finite" });
    }
  });
});
