import { describe, expect, it } from "vitest";
import type { Graph } from "../../../src/ir/graph.ts";
import type { Samples } from "../../../src/pass.ts";
import { runPasses } from "../../../src/passes.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

const GRAPH = `
  input x: float32[1,3,6,6]
  const w: float32[4,3,3,3] = random(1)
  const b: float32[4] = random(2)
  c = Conv(x, w, b)
  r = Relu(c)
  const w2: float32[2,4,1,1] = random(3)
  y = Conv(r, w2)
  return y
`;

function samplesOf(graph: Graph): Samples {
  return { size: 4, feeds: (index) => seededFeeds(graph, index + 1) };
}

async function quantize(graph: Graph, options: Readonly<Record<string, unknown>> = {}, jobs = 1): Promise<Graph> {
  const calibration = samplesOf(graph);
  return (await runPasses(graph, [{ pass: "quantize/int8", ...options }], { calibration, jobs })).graph;
}

describe("quantize/int8", () => {
  it("stores activations in 8 bits, weights by channel, and keeps accumulators out of memory", async () => {
    const graph = await quantize(prepare(GRAPH));
    expect(graph.types.get("x")?.dtype).toBe("int8");
    expect(graph.types.get("r")?.dtype).toBe("int8");
    expect(graph.types.get("c")?.quant).toBeUndefined();
    const weights = graph.constants.get(graph.nodes[0].inputs[1]);
    expect(weights?.dtype).toBe("int8");
    expect(weights?.quant?.scale).toHaveLength(4);
    expect(graph.constants.get(graph.nodes[0].inputs[2])?.dtype).toBe("float32");
  });

  it("gives 16 bits to the values, and to the outputs of the nodes, that the recipe names", async () => {
    const graph = await quantize(prepare(GRAPH), { int16: ["x", "node-r"], weights: "int8", outputs: "int8" });
    expect(graph.types.get("x")?.dtype).toBe("int16");
    expect(graph.types.get("r")?.dtype).toBe("int16");
    expect(graph.types.get("y")?.dtype).toBe("int8");
    await expect(quantize(prepare(GRAPH), { int16: ["nobody"] })).rejects.toMatchObject({
      code: "usage/unknown-value",
    });
  });

  it("stores weights in 4 bits, for the layers that a recipe names too", async () => {
    const graph = await quantize(prepare(GRAPH), { weights: "int4", formats: { "node-*": "W8A8", "node-c": "W4A16" } });
    expect(graph.nodes.flatMap(({ inputs }) => graph.constants.get(inputs[1])?.dtype ?? [])).toEqual(["int4", "int8"]);
    expect(graph.types.get("x")?.dtype).toBe("int16");
    expect(graph.types.get("r")?.dtype).toBe("int8");
    const wide = await quantize(prepare(GRAPH), { activations: "int16", formats: { "node-y": "W4A8" } });
    expect(wide.types.get("x")?.dtype).toBe("int16");
    expect(wide.types.get("r")?.dtype).toBe("int8");
    await expect(quantize(prepare(GRAPH), { formats: { nobody: "W4A8" } })).rejects.toMatchObject({
      code: "usage/unknown-value",
    });
  });

  it("keeps the quantization that a value came with, and constants that only a branch reads", async () => {
    const graph = await quantize(
      prepare(`
        input x: float32[2,3]
        input c: bool[]
        const k: float32[3] = random(1)
        y = If(c) then_branch={
          a = Add(x, k)
          return a
        } else_branch={
          a = Identity(x)
          return a
        }
        return y
      `),
    );
    expect(graph.constants.has("k")).toBe(true);
  });

  it("needs calibration data, and finite numbers in it", async () => {
    const graph = prepare(GRAPH);
    await expect(runPasses(graph, ["quantize/int8"])).rejects.toMatchObject({ code: "usage/no-calibration" });
    const broken = prepare(`
      input x: float32[2]
      const zero: float32[] = [0]
      z = Mul(x, zero)
      y = Div(x, z)
      return y
    `);
    await expect(quantize(broken)).rejects.toMatchObject({ code: "model/not-finite" });
  });
});
