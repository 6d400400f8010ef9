import { describe, expect, it } from "vitest";
import { dequantize, quantize } from "../../src/ir/codes.ts";
import type { Graph, Quant, Tensor } from "../../src/ir/graph.ts";
import type { Samples } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { outputErrors } from "../../src/quant/sensitivity.ts";
import type { WideChoice } from "../../src/quant/widen.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

/** The difference of two near values needs their last bits: 8 of `a` say little of it, 8 of `p` say enough. */
const DIFFERENCE = `
  input x: float32[1,4,8,8]
  const w: float32[4,4,1,1] = random(1)
  const many: float32[1] = [8]
  const difference: float32[2,4,1,1] = [1,-1,0,0, 0,0,1,-1]
  const near: float32[4] = [60, 60, 60, 60]
  const v: float32[3,2,1,1] = random(2)
  const u: float32[2,3,1,1] = random(3)
  a = Conv(x, w, near)
  d = Conv(a, difference)
  r = Relu(d)
  p = Conv(r, v)
  y = Conv(p, u)
  return y
`;

const samplesOf = (graph: Graph, size = 8): Samples => ({ size, feeds: (index) => seededFeeds(graph, index + 1) });

async function wideOf(graph: Graph, int16Share: number, extra: object = {}) {
  const spec = { pass: "quantize/int8", int16Share, ...extra };
  const { graph: made, notes } = await runPasses(graph, [spec], { calibration: samplesOf(graph) });
  const wide = [...made.types].filter(([name, { dtype }]) => dtype === "int16" && !graph.outputs.includes(name));
  const choices = (notes.get("quantize/int8:wide") ?? []) as readonly WideChoice[];
  return { wide: wide.map(([name]) => name).sort(), choices };
}

async function errorOf(graph: Graph, int16Share: number): Promise<number> {
  const passes = [{ pass: "quantize/int8", int16Share }, "lower/integer"];
  const integer = (await runPasses(graph, passes, { calibration: samplesOf(graph) })).graph;
  const type = integer.types.get("x");
  let sum = 0;
  for (let seed = 50; seed < 54; seed++) {
    const feeds = seededFeeds(graph, seed);
    const want = (interpret(graph, feeds).get("y") as Tensor).data as Float32Array;
    const x = quantize(feeds.get("x") as Tensor, type?.dtype ?? "int8", type?.quant as Quant);
    const made = interpret(integer, new Map([["x", x]])).get("y") as Tensor;
    const got = dequantize({ ...made, quant: integer.types.get("y")?.quant }).data as Float32Array;
    sum += got.reduce((all, value, index) => all + (value - want[index]) ** 2, 0);
  }
  return sum;
}

describe("int16Share", () => {
  it("widens the value whose 8 bits cost most, and that pays", async () => {
    const graph = prepare(DIFFERENCE);
    const { wide, choices } = await wideOf(graph, 0.5);
    expect(choices[0].value).toBe("a");
    expect(choices[0].error).toBeGreaterThan(0.9);
    expect(wide).toContain("a");
    expect(await errorOf(graph, 0.5)).toBeLessThan((await errorOf(graph, 0)) / 20);
  });

  it("adds no more work than its share, and nothing where it is 0", async () => {
    const graph = prepare(DIFFERENCE);
    expect((await wideOf(graph, 0)).wide).toEqual([]);
    for (const share of [0.01, 0.2, 1]) {
      const { choices } = await wideOf(graph, share);
      expect(choices.reduce((sum, { work }) => sum + work, 0)).toBeLessThanOrEqual(share);
    }
    expect((await wideOf(graph, 0.01)).wide).toEqual([]);
  });

  it("leaves what layers are said to read in 8 bits, and second operands of products", async () => {
    const named = prepare(DIFFERENCE);
    expect((await wideOf(named, 1, { formats: { d: "W8A8" } })).wide).not.toContain("a");
    const product = prepare(`
      input x: float32[1,4,8]
      const w: float32[8,8] = random(1)
      k = MatMul(x, w)
      t = Transpose(k) perm=[0,2,1]
      y = MatMul(x, t)
      return y
    `);
    const { wide } = await wideOf(product, 1);
    expect(wide).not.toContain("k");
    expect(wide).not.toContain("t");
  });
});

describe("outputErrors", () => {
  it("is the energy of the error over that of the outputs, an offset that a bias takes back left out", async () => {
    const graph = prepare(`
      input x: float32[1,1,1,2]
      const w: float32[1,1,1,1] = [2]
      y = Conv(x, w)
      return y
    `);
    const feeds = { ...({ dtype: "float32", shape: [1, 1, 1, 2] } as const), data: Float32Array.of(1.25, 2.25) };
    const samples: Samples = { size: 1, feeds: () => new Map([["x", feeds as Tensor]]) };
    const stored = { value: "x", scale: 1, zero: 0 };
    const moved = { ...stored, offset: { axis: 1, means: Float64Array.of(0.25) } };
    const [plain, corrected] = await outputErrors(graph, [[stored], [moved]], samples, { samples: 1 });
    expect(plain).toBeCloseTo((2 * 0.25 ** 2) / (1.25 ** 2 + 2.25 ** 2), 6);
    expect(corrected).toBe(0);
  });
});
