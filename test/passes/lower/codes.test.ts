import { expect, it } from "vitest";
import { dequantize } from "../../../src/ir/codes.ts";
import type { Graph, Tensor } from "../../../src/ir/graph.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

const outputOf = (graph: Graph, feeds: ReadonlyMap<string, Tensor>) =>
  dequantize(interpret(graph, feeds).get("y") as Tensor).data as Float32Array;

it("lower/codes: uint8 activations become int8, the reals the same", async () => {
  const graph = prepare(`
    input x: uint8[1,2,4,4]{scale=0.02, zero=120}
    const w: uint8[3,2,1,1]{scale=[0.01, 0.02, 0.03], zero=128, axis=0} = [138, 108, 158, 168, 78, 188]
    c = Conv(x, w)
    y: uint8[1,3,4,4]{scale=0.05, zero=3} = Relu(c)
    return y
  `);
  const after = (await runPasses(graph, ["lower/codes"])).graph;
  expect(after.types.get("x")).toMatchObject({ dtype: "int8" });
  expect(after.types.get("y")?.quant?.zeroPoint[0]).toBe(-125);
  expect(after.constants.get("w")?.data).toEqual(Int8Array.of(10, -20, 30, 40, -50, 60));
  const feeds = new Map([["x", dequantize({ ...seededFeedOf(graph), quant: graph.types.get("x")?.quant } as Tensor)]]);
  expect(outputOf(after, feeds)).toEqual(outputOf(graph, feeds));
  expect((await runPasses(after, ["lower/codes"])).graph).toBe(after);
  const { graph: integer } = await runPasses(after, ["quantize/int8", "lower/integer"], {
    calibration: { size: 1, feeds: () => feeds },
  });
  expect(integer.nodes.map((node) => `${node.domain}.${node.op}`)).toEqual(["npu.Conv"]);
  expect(outputOf(integer, feeds)).toEqual(outputOf(graph, feeds));
});

function seededFeedOf(graph: Graph): Tensor {
  return seededFeeds(graph).get("x") as Tensor;
}

it("lower/codes: weights with zero points or blocks are rounded again, by output channel", async () => {
  const graph = prepare(`
    input x: float32[2,4]
    const w: uint8[4,2]{scale=0.02, zero=100} = [0, 255, 100, 120, 30, 60, 90, 200]
    y = MatMul(x, w)
    return y
  `);
  const after = (await runPasses(graph, ["lower/codes"])).graph;
  const weights = after.constants.get("w");
  expect(weights?.dtype).toBe("int8");
  expect(weights?.quant?.axis).toBe(1);
  expect([...(weights?.quant?.zeroPoint ?? [])]).toEqual([0]);
  const [a, b] = [graph.constants.get("w"), weights].map((tensor) => dequantize(tensor as Tensor).data as Float32Array);
  a.forEach((value, index) => {
    expect(Math.abs(value - b[index])).toBeLessThan(0.02);
  });
});

it("lower/codes: 4-bit weights with a scale a channel stay, those with zero points become int8", async () => {
  const graph = prepare(`
    input x: float32[2,4]
    const w: int4[4,2]{scale=[0.5, 0.25], axis=1} = [-8, 7, 1, 2, 3, -4, 5, -6]
    const v: int4[4,2]{scale=[0.5, 0.25], zero=[1, 2], axis=1} = [-8, 7, 1, 2, 3, -4, 5, -6]
    a = MatMul(x, w)
    y = MatMul(x, v)
    return a, y
  `);
  const { constants } = (await runPasses(graph, ["lower/codes"])).graph;
  expect(constants.get("w")).toBe(graph.constants.get("w"));
  expect(constants.get("v")?.dtype).toBe("int8");
});

it("lower/codes: blocks of 4 bits with scales of their own become blocks with integers, where the recipe stores 4 bits", async () => {
  const graph = prepare(`
    input x: float32[2,64]
    const w: int4[64,2]{scale=[0.5, 0.25, 0.125, 0.5], zero=[1, -1, 2, 0], axis=0, block=32} = random(1)
    y = MatMul(x, w)
    return y
  `);
  const after = (await runPasses(graph, [{ pass: "lower/codes", weights: "int4", block: 32 }])).graph;
  const weights = after.constants.get("w") as Tensor;
  expect(weights).toMatchObject({ dtype: "int4", quant: { axis: 1, multipliers: { block: 32 } } });
  const [a, b] = [graph.constants.get("w"), weights].map((tensor) => dequantize(tensor as Tensor).data as Float32Array);
  const power = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0);
  expect(power(a.map((value, index) => value - b[index]))).toBeLessThan(0.01 * power(a));
  expect((await runPasses(after, [{ pass: "lower/codes", weights: "int4", block: 32 }])).graph).toBe(after);
});

it("lower/codes leaves what was not quantized alone", async () => {
  const graph = prepare(`
    input x: uint8[4]
    const w: int8[2,4]{scale=[0.1, 0.2], axis=0} = [1, 2, 3, 4, 5, 6, 7, 8]
    input z: float32[1,4]
    y = Gemm(z, w) transB=1
    return y, x
  `);
  expect((await runPasses(graph, ["lower/codes"])).graph).toBe(graph);
});

it("lower/codes: uint4 activations become int4, the reals the same", async () => {
  const graph = prepare(`
    input x: float32[1,2,4,4]
    const w: int8[3,2,1,1]{scale=[0.01, 0.02, 0.03], axis=0} = [10, -20, 30, 40, -50, 60]
    c = Conv(x, w)
    y: uint4[1,3,4,4]{scale=0.1, zero=3} = Relu(c)
    return y
  `);
  const after = (await runPasses(graph, ["lower/codes"])).graph;
  expect(after.types.get("y")).toMatchObject({ dtype: "int4", quant: { zeroPoint: Int32Array.of(-5) } });
  const feeds = seededFeeds(graph);
  expect(outputOf(after, feeds)).toEqual(outputOf(graph, feeds));
});
