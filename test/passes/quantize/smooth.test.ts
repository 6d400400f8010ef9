import { describe, expect, it } from "vitest";
import { dequantize, quantize } from "../../../src/ir/codes.ts";
import type { Graph, Quant, Tensor } from "../../../src/ir/graph.ts";
import type { PassSpec, Samples } from "../../../src/pass.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { expectSameNumbers, prepare, seededFeeds } from "../../harness/pass.ts";

/** A norm two of whose channels are a hundred times as loud as the others, and read with small weights. */
const NORM = `
  input x: float32[1,12,8]
  const g: float32[8] = [1, 1, 100, 1, 1, 1, 80, 1]
  const s: float32[8] = [0.1, 0, 1, 0, 0.2, 0, 0, 0]
  const w: float32[8,16] = random(1)
  const v: float32[8,4] = random(2)
  const shape: int64[2] = [12, 8]
  n = LayerNormalization(x, g, s)
  r = Reshape(n, shape)
  a = Gemm(r, w)
  b = Gemm(r, v)
  return a, b
`;

/** The same behind an accumulator and an activation. */
const PRODUCT = `
  input x: float32[12,8]
  const u: float32[8,8] = random(3)
  const c: float32[8] = [0, 0, 60, 0, 0, 0, 40, 0]
  const w: float32[8,16] = random(1)
  p = Gemm(x, u, c)
  h = Gelu(p)
  y = Gemm(h, w)
  return y
`;

const samplesOf = (graph: Graph): Samples => ({ size: 12, feeds: (index) => seededFeeds(graph, index + 1) });

async function run(graph: Graph, passes: readonly PassSpec[]): Promise<Graph> {
  return (await runPasses(graph, passes, { calibration: samplesOf(graph) })).graph;
}

function errorOf(graph: Graph, integer: Graph): number {
  let [error, size] = [0, 0];
  for (let seed = 60; seed < 66; seed++) {
    const feeds = seededFeeds(graph, seed);
    const input = integer.types.get("x");
    const codes = quantize(feeds.get("x") as Tensor, input?.dtype ?? "int8", input?.quant as Quant);
    const made = interpret(integer, new Map([["x", codes]]));
    for (const name of graph.outputs) {
      const want = (interpret(graph, feeds).get(name) as Tensor).data as Float32Array;
      const tensor = made.get(name) as Tensor;
      const got = dequantize({ ...tensor, quant: integer.types.get(name)?.quant }).data as Float32Array;
      want.forEach((value, index) => {
        error += (got[index] - value) ** 2;
        size += value * value;
      });
    }
  }
  return error / size;
}

describe("quantize/smooth", () => {
  it.each([
    ["a norm", NORM],
    ["an accumulator and its activation", PRODUCT],
  ])("behind %s: the same numbers, and truer integers", async (_, text) => {
    // Loud channels carry little: their weights are a hundredth of the others'.
    const raw = prepare(text);
    const quiet = new Map(raw.constants);
    for (const [name, columns] of [
      ["w", 16],
      ["v", 4],
    ] as const) {
      const tensor = quiet.get(name);
      if (!tensor) continue;
      const values = Float32Array.from(tensor.data as Float32Array, (value, at) => {
        return [2, 6].includes(Math.floor(at / columns)) ? value / 100 : value;
      });
      quiet.set(name, { ...tensor, data: values });
    }
    const graph = { ...raw, constants: quiet };
    const smoothed = await run(graph, ["quantize/smooth"]);
    expect(smoothed).not.toBe(graph);
    expectSameNumbers(graph, smoothed, 1e-5);
    const rest: readonly PassSpec[] = ["quantize/int8", "lower/integer"];
    const plain = await run(graph, rest);
    const better = await run(graph, ["quantize/smooth", ...rest]);
    expect(better.nodes.map(({ op }) => op)).toEqual(plain.nodes.map(({ op }) => op));
    expect(errorOf(graph, better)).toBeLessThan(0.5 * errorOf(graph, plain));
  });

  it("leaves alone what is even, what something else reads, what is stored in 16 bits, and what it is told to", async () => {
    const level = prepare(NORM.replace("[1, 1, 100, 1, 1, 1, 80, 1]", "[1, 1, 1, 1, 1, 1, 1, 1]"));
    const signs = (tensor: Tensor) => Float32Array.from(tensor.data as Float32Array, (value) => Math.sign(value) / 2);
    const constants = new Map(level.constants);
    for (const name of ["w", "v"]) {
      const tensor = constants.get(name) as Tensor;
      constants.set(name, { ...tensor, data: signs(tensor) });
    }
    const even = { ...level, constants };
    expect(await run(even, ["quantize/smooth"])).toBe(even);
    const read = prepare(NORM.replace("return a, b", "z = Sigmoid(n)\n  return a, b, z"));
    expect(await run(read, ["quantize/smooth"])).toBe(read);
    const loud = prepare(NORM);
    expect(await run(loud, [{ pass: "quantize/smooth", activations: "int16" }])).toBe(loud);
    expect(await run(loud, [{ pass: "quantize/smooth", enabled: false }])).toBe(loud);
    const given = prepare(NORM.replace("const g: float32[8] = [1, 1, 100, 1, 1, 1, 80, 1]", "input g: float32[8]"));
    expect(await run(given, ["quantize/smooth"])).toBe(given);
  });
});
