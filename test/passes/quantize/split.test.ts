import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dequantize, quantize } from "../../../src/ir/codes.ts";
import type { Graph, Quant, Tensor } from "../../../src/ir/graph.ts";
import { verify } from "../../../src/ir/verify.ts";
import type { PassSpec, Samples } from "../../../src/pass.ts";
import { runPasses } from "../../../src/passes.ts";
import { dominating, split, splitLinks } from "../../../src/quant/split.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

/** One of sixteen channels is thirty times as large as the others, and counts as much as they do. */
const OUTLIER = `
  input x: float32[1,3,6,6]
  const w: float32[16,3,3,3] = random(1)
  const b: float32[16] = random(2)
  const high: float32[16,1,1] = [1, 1, 1, 30, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  const v: float32[5,16,1,1] = random(3)
  const u: float32[2,16,3,3] = random(4)
  c = Conv(x, w, b) pads=[1,1,1,1]
  h = HardSwish(c)
  g = Mul(h, high)
  y = Conv(g, v)
  z = Conv(g, u) pads=[1,1,1,1]
  return y, z
`;

const samplesOf = (graph: Graph): Samples => ({ size: 8, feeds: (index) => seededFeeds(graph, index + 1) });
const run = async (graph: Graph, passes: readonly PassSpec[]): Promise<Graph> =>
  (await runPasses(graph, passes, { calibration: samplesOf(graph) })).graph;
const ON = { pass: "quantize/split", enabled: true };

function floatsOf(graph: Graph, seed: number): Float32Array[] {
  const made = interpret(graph, seededFeeds(graph, seed));
  return graph.outputs.map((name) => (made.get(name) as Tensor).data as Float32Array);
}

function expectSame(before: Graph, after: Graph): void {
  for (const seed of [40, 41]) {
    const [want, got] = [floatsOf(before, seed), floatsOf(after, seed)];
    want.forEach((values, output) => {
      const reach = Math.max(...values.map(Math.abs), 1e-3);
      values.forEach((value, index) => {
        expect(Math.abs(got[output][index] - value)).toBeLessThan(2e-6 * reach);
      });
    });
  }
}

/** Σ (y − y₀)² of the integer graph on inputs that calibration did not see. */
function errorOf(graph: Graph, integer: Graph): number {
  let error = 0;
  const [input, output] = [integer.types.get("x"), integer.types.get("y")];
  for (let seed = 60; seed < 70; seed++) {
    const feeds = seededFeeds(graph, seed);
    const want = (interpret(graph, feeds).get("y") as Tensor).data as Float32Array;
    const codes = quantize(feeds.get("x") as Tensor, input?.dtype ?? "int8", input?.quant as Quant);
    const made = interpret(integer, new Map([["x", codes]])).get("y") as Tensor;
    const got = dequantize({ ...made, quant: output?.quant }).data as Float32Array;
    want.forEach((value, index) => {
      error += (got[index] - value) ** 2;
    });
  }
  return error;
}

describe("quantize/split", () => {
  it("halves the range of a value with one large channel: the same reals, truer integers, no operator more", async () => {
    const graph = prepare(OUTLIER);
    const halved = await run(graph, [ON]);
    expect(halved.types.get("g")?.shape).toEqual([1, 17, 6, 6]);
    expect(halved.nodes.map(({ op }) => op)).toEqual(graph.nodes.map(({ op }) => op));
    expectSame(graph, halved);
    const rest = ["quantize/int8", "lower/integer"];
    const [plain, better] = [await run(graph, rest), await run(graph, [ON, ...rest])];
    expect(better.nodes.length).toBe(plain.nodes.length);
    expect(errorOf(graph, better)).toBeLessThan(0.6 * errorOf(graph, plain));
  });

  it("does nothing unless asked, nor where no channel stands out, nor where it does not help", async () => {
    const graph = prepare(OUTLIER);
    expect(await run(graph, ["quantize/split"])).toBe(graph);
    const even = prepare(OUTLIER.replace("30", "1.2"));
    expect(await run(even, [ON])).toBe(even);
    // A channel that nobody looks at: the errors of the others do not count there.
    const unread = [...graph.constants].map(([name, tensor]): [string, Tensor] => {
      const zeros = name === "v" || name === "u" ? { ...tensor, data: new Float32Array(tensor.shape[0] * 16) } : tensor;
      return [name, name === "u" ? { ...zeros, data: new Float32Array(2 * 16 * 9) } : zeros];
    });
    const blind = { ...graph, constants: new Map(unread) };
    expect(await run(blind, [ON])).toBe(blind);
  });

  it("keeps to channels that are few", () => {
    const eighths = (sizes: readonly number[]) => Float64Array.from(sizes, (size) => ((size ** 2) ** 2) ** 2);
    expect(dominating(eighths([1, 9, 2, 1]))).toEqual([1]);
    expect(dominating(eighths([1, 9, 8, 1]))).toBeUndefined();
    expect(dominating(eighths([3]))).toBeUndefined();
    expect(dominating(eighths([0, 0]))).toBeUndefined();
    expect(dominating(eighths([...Array(31).fill(1), 5, 4]))).toEqual([31, 32]);
  });

  const FUNCTIONS = ["", "h = Relu(c)", "h = HardSwish(c)", "h = LeakyRelu(c) alpha=0.1", "h = Tanh(c)"];

  it("is the same function, whatever lies between and whichever channels are taken", () => {
    const chosen = fc.record({
      channels: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 }),
      inner: fc.constantFrom(...FUNCTIONS),
      bias: fc.boolean(),
      gain: fc.boolean(),
      again: fc.boolean(),
    });
    fc.assert(
      fc.property(chosen, ({ channels, inner, bias, gain, again }) => {
        const value = inner === "" ? "c" : "h";
        const graph = prepare(`
          input x: float32[2,3,7]
          const w: float32[7,3,3] = random(1)
          const b: float32[7] = random(2)
          const gains: float32[1,7,1] = [1, 2, 3, 0.5, 1, 4, 0.1]
          const v: float32[7,7,1] = random(3)
          const u: float32[2,7,2] = random(4)
          c = Conv(x, w${bias ? ", b" : ""})
          ${inner}
          ${gain ? `m = Mul(${value}, gains)` : ""}
          d = Conv(${gain ? "m" : value}, v, b)
          y = Conv(d, u)
          return y
        `);
        const links = splitLinks(graph);
        expect(links.length).toBe(2);
        const choices = links.slice(0, again ? 2 : 1).map((link) => ({ link, channels }));
        const made = split(graph, choices);
        expect(verify(made.graph)).toBeUndefined();
        expect(made.values.length).toBe(choices.length);
        expectSame(graph, made.graph);
      }),
      { seed: 7, numRuns: 40 },
    );
  });
});
