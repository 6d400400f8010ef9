import { describe, expect, it } from "vitest";
import { relativeError } from "../../../src/check.ts";
import { dequantize } from "../../../src/ir/codes.ts";
import { intAttr, type Tensor } from "../../../src/ir/graph.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

async function lower(text: string, options: Readonly<Record<string, unknown>> = {}) {
  const graph = prepare(text);
  const calibration = { size: 4, feeds: (index: number) => seededFeeds(graph, index + 1) };
  return runPasses(graph, ["quantize/int8", { pass: "lower/integer", ...options }], { calibration });
}

const ops = (graph: { readonly nodes: readonly { readonly domain: string; readonly op: string }[] }) =>
  graph.nodes.map((node) => (node.domain === "" ? node.op : `${node.domain}.${node.op}`)).join(" ");

describe("lower/integer", () => {
  it("applies a chain of functions to the accumulator, and remembers whose they were", async () => {
    const { graph } = await lower(`
      input x: float32[1,3,4,4]
      const w: float32[4,3,1,1] = random(1)
      const k: float32[] = [3.0]
      const six: float32[] = [6.0]
      const zero: float32[] = [0.0]
      c = Conv(x, w)
      a = Add(c, k)
      b = Clip(a, zero, six)
      y = Mul(b, k)
      return y
    `);
    expect(ops(graph)).toBe("npu.Conv");
    expect(graph.nodes[0].origin).toEqual(["node-a", "node-b", "node-c", "node-y"]);
    expect([...graph.metadata.keys()]).not.toContain("quantize/inner-ranges");
  });

  it("clamps without a table where the function is a clamp", async () => {
    const { graph } = await lower(`
      input x: float32[2,4]
      const w: float32[4,3] = random(1)
      c = Gemm(x, w)
      y = Relu(c)
      return y
    `);
    expect(graph.nodes[0].inputs).toHaveLength(5);
    expect(intAttr(graph.nodes[0], "y_min", -1)).toBe(intAttr(graph.nodes[0], "y_zero", 0));
  });

  it("stores what somebody else reads before the function", async () => {
    const { graph } = await lower(`
      input x: float32[2,4]
      const w: float32[4,3] = random(1)
      c = Gemm(x, w)
      y = Tanh(c)
      return y, c
    `);
    expect(ops(graph)).toMatch(/^npu.MatMul npu.Table/);
  });

  it("leaves for the CPU what has no integer form, with the reason", async () => {
    const warnings: string[] = [];
    const graph = prepare(`
      input x: float32[2,4]
      a = Relu(x)
      y, i = TopK(a, k)
      const k: int64[1] = [2]
      return y, i
    `);
    const calibration = { size: 2, feeds: (index: number) => seededFeeds(graph, index + 1) };
    const log = { info: () => undefined, warn: (text: string) => void warnings.push(text) };
    const result = await runPasses(graph, ["quantize/int8", "lower/integer"], { calibration, log });
    expect(ops(result.graph)).toMatch(/^npu\.\w+ TopK$/);
    const told = warnings.filter((text) => text.includes("CPU"));
    expect(told).toEqual([expect.stringMatching(/^node-y \(TopK\) stays on the CPU: it sorts/)]);
    expect(result.notes.get("lower/integer:lower/cpu")).toEqual([
      { node: "node-y", op: "TopK", reason: expect.stringMatching(/^it sorts/) },
    ]);
  });

  it("leaves integers and truths to the CPU, moved or computed, and refuses values that hold nothing", async () => {
    const { graph } = await lower(`
      input x: float32[20,8]
      input ids: int64[1,6]
      const k: int64[] = [1]
      const shape: int64[1] = [6]
      a = Add(ids, k)
      b = Reshape(a, shape)
      y = Gather(x, b)
      return y
    `);
    expect(ops(graph)).toBe("Add Reshape npu.Gather");
    const empty = lower(`
      input x: float32[2,4]
      const at: int64[1] = [4]
      const axis: int64[1] = [1]
      y = Slice(x, at, at, axis)
      return y
    `);
    await expect(empty).rejects.toMatchObject({ code: "model/empty-value" });
  });

  it("makes real numbers of the integers that are fed: bytes are codes of scale 1, int64 is looked up", async () => {
    const text = `
      input x: float32[2,4]
      input pixels: uint8[2,4]
      input mask: int64[2,4]
      const k: float32[] = [0.00392157]
      p = Cast(pixels) to=1
      q = Mul(p, k)
      m = Cast(mask) to=1
      a = Mul(x, m)
      y = Add(a, q)
      return y
    `;
    const { graph } = await lower(text);
    expect(ops(graph)).toMatch(/^npu\.Cast npu\.Rescale .*npu\.Gather/);
    expect(graph.nodes.every((node) => node.domain === "npu")).toBe(true);
    const float = prepare(text);
    const feeds = seededFeeds(float, 2);
    const [want, got] = [interpret(float, feeds), interpret(graph, feeds)];
    expect(relativeError(want.get("y"), dequantize(got.get("y") as Tensor))).toBeLessThan(0.03);
  });

  it("reads the half floats that a model computes with", async () => {
    const { graph } = await lower(`
      input x: float16[2,4]
      const w: float16[4,3] = random(1)
      a = MatMul(x, w)
      y = Sigmoid(a)
      return y
    `);
    expect(ops(graph)).toBe("npu.MatMul");
    // Six seeded samples in [-3, 3) reach far beyond the 1 that an unseen value would be given.
    expect(graph.types.get("x")?.quant?.scale[0]).toBeGreaterThan(4 / 255);
  });

  it("refuses a layer whose sum does not fit the accumulator", async () => {
    const text = `
      input x: float32[1,64]
      const w: float32[64,3] = random(1)
      y = Gemm(x, w)
      return y
    `;
    await expect(lower(text, { accumulatorBits: 20 })).rejects.toMatchObject({ code: "model/accumulator-overflow" });
    expect(ops((await lower(text)).graph)).toBe("npu.MatMul");
  });

  it("requantizes by single-precision factors where the target does", async () => {
    const { graph } = await lower(
      `
      input x: float32[1,8]
      const w: float32[8,3] = random(1)
      y = Gemm(x, w)
      return y
    `,
      { round: "ort-f32-rne" },
    );
    expect(graph.constants.get(graph.nodes[0].inputs[3])?.dtype).toBe("float32");
  });
});
