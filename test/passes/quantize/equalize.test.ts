import { describe, expect, it } from "vitest";
import { dequantize, quantize } from "../../../src/ir/codes.ts";
import type { Graph, Tensor } from "../../../src/ir/graph.ts";
import type { Samples } from "../../../src/pass.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

/** A pointwise layer whose channels differ a hundredfold, and a depthwise one that makes them equal again. */
const UNEVEN = `
  input x: float32[1,2,6,6]
  const w: float32[4,2,1,1] = [1, 1, 0.1, 0.1, 0.01, 0.01, 10, 10]
  const d: float32[4,1,3,3] = random(3)
  c = Conv(x, w)
  h = HardSwish(c)
  y = Conv(h, d) group=4 pads=[1,1,1,1]
  return y
`;

/** A block whose channels differ a hundredfold on both ways to its sum. */
const RESIDUAL = `
  input x: float32[1,2,6,6]
  const w: float32[4,2,1,1] = [1, 1, 0.1, 0.1, 0.01, 0.01, 10, 10]
  const v: float32[4,4,1,1] = [0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.1, 0.01, 0.001, 0.001, 0.01, 0.001, 1, 1, 0.1, 1]
  const d: float32[4,1,3,3] = random(3)
  a = Conv(x, w)
  r = Relu(a)
  b = Conv(r, v)
  s = Add(r, b)
  y = Conv(s, d) group=4 pads=[1,1,1,1]
  return y
`;

const samplesOf = (graph: Graph): Samples => ({ size: 8, feeds: (index) => seededFeeds(graph, index + 1) });

async function run(graph: Graph, passes: readonly string[]): Promise<Graph> {
  return (await runPasses(graph, passes, { calibration: samplesOf(graph) })).graph;
}

/** Signal over error, as a ratio of energies, of the channel that has it worst. */
function fidelity(graph: Graph, integer: Graph): number {
  const [signal, error] = [new Float64Array(4), new Float64Array(4)];
  for (let seed = 20; seed < 28; seed++) {
    const feeds = seededFeeds(graph, seed);
    const want = (interpret(graph, feeds).get("y") as Tensor).data as Float32Array;
    const type = integer.types.get("x");
    const codes = quantize(feeds.get("x") as Tensor, type?.dtype ?? "int8", type?.quant ?? bug());
    const made = interpret(integer, new Map([["x", codes]])).get("y") as Tensor;
    const got = dequantize({ ...made, quant: integer.types.get("y")?.quant }).data as Float32Array;
    want.forEach((value, index) => {
      const channel = Math.floor(index / 36);
      signal[channel] += value * value;
      error[channel] += (value - got[index]) ** 2;
    });
  }
  return Math.min(...signal.map((energy, channel) => energy / error[channel]));
}

function bug(): never {
  throw new Error("the input was not quantized");
}

describe("quantize/equalize", () => {
  it("keeps the numbers, brings the channels to one range, and is done after one run", async () => {
    const before = prepare(UNEVEN);
    const after = await run(before, ["quantize/equalize"]);
    const feeds = seededFeeds(before, 5);
    const equalized = after.nodes.find((node) => node.op === "Mul")?.outputs[0] ?? "";
    const values = interpret(after, feeds, { keep: new Set([equalized]) });
    const want = (interpret(before, feeds).get("y") as Tensor).data as Float32Array;
    ((values.get("y") as Tensor).data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo(want[index], 4);
    });
    const data = (values.get(equalized) as Tensor).data as Float32Array;
    const reaches = [0, 1, 2, 3].map((c) => Math.max(...data.subarray(c * 36, (c + 1) * 36).map(Math.abs)));
    expect(Math.max(...reaches) / Math.min(...reaches)).toBeLessThan(16);
    expect(await run(after, ["quantize/equalize"])).toBe(after);
  });

  it("costs nothing on the chip and makes the integers truer", async () => {
    const graph = prepare(UNEVEN);
    const plain = await run(graph, ["quantize/int8", "lower/integer"]);
    const even = await run(graph, ["quantize/equalize", "quantize/int8", "lower/integer"]);
    expect(even.nodes.map((node) => node.op)).toEqual(plain.nodes.map((node) => node.op));
    expect(fidelity(graph, even)).toBeGreaterThan(4 * fidelity(graph, plain));
  });

  it("brings what meets in a sum to one range together, and keeps the numbers", async () => {
    const before = prepare(RESIDUAL);
    const after = await run(before, ["quantize/equalize"]);
    expect(after.nodes.filter((node) => node.op === "Mul")).toHaveLength(2);
    // A value whose channels are scaled says so.
    expect(after.nodes.find((node) => node.op === "Add")?.outputs).toEqual(["s/equalized"]);
    for (const seed of [5, 6]) {
      const feeds = seededFeeds(before, seed);
      const [want, got] = [before, after].map(
        (graph) => (interpret(graph, feeds).get("y") as Tensor).data as Float32Array,
      );
      for (const [index, value] of got.entries()) expect(value).toBeCloseTo(want[index], 4);
    }
    expect(await run(after, ["quantize/equalize"])).toBe(after);
    const plain = await run(before, ["quantize/int8", "lower/integer"]);
    const even = await run(before, ["quantize/equalize", "quantize/int8", "lower/integer"]);
    expect(even.nodes.map((node) => node.op)).toEqual(plain.nodes.map((node) => node.op));
    expect(fidelity(before, even)).toBeGreaterThan(4 * fidelity(before, plain));
  });

  it("finds values by the teacher's names behind it", async () => {
    const calibration = samplesOf(prepare(RESIDUAL));
    const passes = ["quantize/equalize", { pass: "quantize/int8", int16: ["s"] }];
    const { graph } = await runPasses(prepare(RESIDUAL), passes, { calibration });
    expect(graph.types.get("s/equalized")?.dtype).toBe("int16");
    expect(graph.types.get("r/equalized")?.dtype).toBe("int8");
  });

  it("leaves channels alone whose factors would only move the error", async () => {
    const even = prepare(UNEVEN.replace("[1, 1, 0.1, 0.1, 0.01, 0.01, 10, 10]", "[1, 0.5, 0.5, 1, 1, 0.5, 0.5, 1]"));
    expect(await run(even, ["quantize/equalize"])).toBe(even);
  });

  it("leaves alone what something else reads, and what is clipped from above", async () => {
    const read = prepare(UNEVEN.replace("return y", "s = Sigmoid(h)\n  return y, s"));
    expect(await run(read, ["quantize/equalize"])).toBe(read);
    const clipped = prepare(
      UNEVEN.replace("h = HardSwish(c)", "h = Clip(c, lo, hi)").replace(
        "const d:",
        "const lo: float32[] = 0\n  const hi: float32[] = 6\n  const d:",
      ),
    );
    expect(await run(clipped, ["quantize/equalize"])).toBe(clipped);
  });
});
