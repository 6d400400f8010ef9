import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../../src/ir/graph.ts";
import { numbersOf } from "../../../src/ir/tensor.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { decoder, SEQUENCES, STEPS, stepFeeds } from "../../quant/decoder.ts";

const evened = async (graph: Graph, cache = "int4") =>
  (await runPasses(graph, [{ pass: "quantize/even-caches", cache }], { calibration: SEQUENCES })).graph;

/** A sequence's results, and what its caches end with. */
function run(graph: Graph): { y: number[]; keys: number[]; values: number[] } {
  const held = new Map(graph.states.map(({ input, init }) => [input, init]));
  const y: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const outputs = interpret(graph, new Map([...stepFeeds(500 * STEPS + step), ...held]));
    y.push(...numbersOf(outputs.get("y") as Tensor));
    for (const { input, output } of graph.states) held.set(input, outputs.get(output) as Tensor);
  }
  return { y, keys: numbersOf(held.get("keys") as Tensor), values: numbersOf(held.get("values") as Tensor) };
}

/** Largest magnitudes of the channels of all heads, the greatest over the least. */
function spread(cache: readonly number[]): number {
  const most = new Float64Array(8);
  cache.forEach((value, at) => {
    const channel = Math.floor(at / (STEPS * 4)) * 4 + (at % 4);
    most[channel] = Math.max(most[channel], Math.abs(value));
  });
  return Math.max(...most) / Math.min(...most);
}

describe("quantize/even-caches", () => {
  it("brings the channels of caches to one size and keeps what comes out", async () => {
    const before = decoder();
    const after = await evened(before);
    expect(after.nodes.length).toBe(before.nodes.length + 4);
    const [want, got] = [run(before), run(after)];
    got.y.forEach((value, at) => {
      expect(value).toBeCloseTo(want.y[at], 4);
    });
    for (const cache of ["keys", "values"] as const) {
      expect(spread(want[cache])).toBeGreaterThan(10);
      expect(spread(got[cache])).toBeLessThan(4);
    }
    expect(await evened(after)).toBe(after);
  });

  it("leaves alone caches of 8 bits, those that something else reads, and graphs without any", async () => {
    const graph = decoder();
    expect(await evened(graph, "int8")).toBe(graph);
    const also = { ...graph, outputs: [...graph.outputs, "turned", "keys", "values", "weights"] };
    expect(await evened(also)).toBe(also);
    const stateless = { ...graph, states: [] };
    expect(await evened(stateless)).toBe(stateless);
  });
});
