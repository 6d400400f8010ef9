import { describe, expect, it } from "vitest";
import { quantize } from "../../../src/ir/codes.ts";
import type { Graph, Quant, Tensor } from "../../../src/ir/graph.ts";
import { numbersOf } from "../../../src/ir/tensor.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { decoder, SEQUENCES, STEPS, stepFeeds } from "../../quant/decoder.ts";

const lowered = async (graph: Graph, last: readonly string[], cache = "int4") =>
  (
    await runPasses(graph, ["lower/mask", { pass: "quantize/int8", cache }, "lower/integer", ...last], {
      calibration: SEQUENCES,
    })
  ).graph;

function run(graph: Graph): number[] {
  const held = new Map(graph.states.map(({ input, init }) => [input, init]));
  const y: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const feeds = new Map(stepFeeds(step));
    feeds.set("x", quantize(feeds.get("x") as Tensor, "int8", graph.types.get("x")?.quant as Quant));
    const outputs = interpret(graph, new Map([...feeds, ...held]));
    y.push(...numbersOf(outputs.get("y") as Tensor));
    for (const { input, output } of graph.states) held.set(input, outputs.get(output) as Tensor);
  }
  return y;
}

describe("lower/pack-caches", () => {
  it("stores two codes a byte, and says the same where no code left 4 bits", async () => {
    const [plain, packed] = [await lowered(decoder(), []), await lowered(decoder(), ["lower/pack-caches"])];
    expect(packed.states.map(({ init: { dtype, shape } }) => `${dtype}[${shape}]`)).toEqual([
      "uint8[1,2,6,2]",
      "uint8[1,2,6,2]",
    ]);
    expect(packed.nodes.filter(({ op }) => op === "PackNibbles").length).toBe(2);
    expect(packed.nodes.filter(({ op }) => op === "UnpackNibbles").length).toBe(2);
    expect(packed.metadata.has("quantize/packed-caches")).toBe(false);
    expect((await runPasses(packed, ["lower/pack-caches"])).graph).toBe(packed);
    // Without the pass the codes may leave [−8, 7]: most of the outputs are equal, none far away.
    const [want, got] = [run(plain), run(packed)];
    expect(got.filter((code, at) => code === want[at]).length).toBeGreaterThan(0.5 * got.length);
  });

  it("unpacks what a step began with, too, where something reads it", async () => {
    const graph = decoder();
    const nodes = graph.nodes.map((node) => (node.op === "Transpose" ? { ...node, inputs: ["keys"] } : node));
    const packed = await lowered({ ...graph, nodes }, ["lower/pack-caches"]);
    expect(packed.nodes[0]).toMatchObject({ op: "UnpackNibbles", inputs: ["keys"] });
    expect(run(packed).some((code) => code !== 0)).toBe(true);
  });

  it("leaves alone caches of 8 bits and rows of an odd number of codes", async () => {
    const eight = await lowered(decoder(), [], "int8");
    expect((await runPasses(eight, ["lower/pack-caches"])).graph).toBe(eight);
    expect(eight.types.get("keys")?.dtype).toBe("int8");
  });
});
