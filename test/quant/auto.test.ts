import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Samples } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { leastErrors } from "../../src/quant/auto.ts";
import { prepare } from "../harness/pass.ts";

/** Numbers of one size, and a lone large one: what min-max keeps and the other rules cut. */
const outliers = (size: number): Samples => ({
  size: 8,
  feeds: (index) => {
    const values = Float32Array.from({ length: size }, (_, at) => ((at * 37 + index) % 200) / 100 - 1);
    values[0] = 40;
    return new Map([["x", float32([1, 2, 1, size / 2], values)]]);
  },
});

const text = (first: number, second: number) => `
  input x: float32[1,2,1,4096]
  const w: float32[1,2,1,1] = [${first}, ${second}]
  y = Conv(x, w)
  return y
`;

async function scaleOf(graph: Graph, calibrator: string): Promise<number> {
  const made = await runPasses(graph, [{ pass: "quantize/int8", calibrator }], { calibration: outliers(8192) });
  return made.graph.types.get("x")?.quant?.scale[0] as number;
}

describe("auto", () => {
  it("cuts an outlier that the reading layer does not look at, and keeps one that it does", async () => {
    const [keeps, cuts] = [prepare(text(1, 0)), prepare(text(0, 1))];
    expect(await scaleOf(keeps, "min-max")).toBeCloseTo(41 / 255, 4);
    expect(await scaleOf(keeps, "auto")).toBeGreaterThan(35 / 255);
    expect(await scaleOf(cuts, "auto")).toBeLessThan(await scaleOf(keeps, "mse"));
  });

  it("takes for each value the range of the least error, relative to the value, over all its readers", () => {
    const ranges = [1, 2, 3].map((high) => ({ low: 0, high }));
    const request = { value: "x", grids: [] };
    const choices = [
      { key: "a", ranges, requests: [request, request] },
      { key: "b", ranges, requests: [request] },
      { key: "silent", ranges, requests: [request] },
    ];
    const measured = [[100, 9, 1, 5], [1, 0.3, 0.6, 0.1], [2, 3, 2, 1], []].map((list) => Float64Array.from(list));
    expect(leastErrors(choices, measured)).toEqual(
      new Map([
        ["a", ranges[2]],
        ["b", ranges[2]],
        ["silent", ranges[0]],
      ]),
    );
  });
});
