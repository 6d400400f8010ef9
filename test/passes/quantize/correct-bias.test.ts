import { describe, expect, it } from "vitest";
import { dequantize, quantize } from "../../../src/ir/codes.ts";
import { type Graph, makeGraph, type Quant, type Tensor } from "../../../src/ir/graph.ts";
import { makeTensor } from "../../../src/ir/tensor.ts";
import type { Samples } from "../../../src/pass.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

/** Deep enough that offsets of earlier layers reach later ones. */
const DEEP = `
  input x: float32[1,3,8,8]
  const w1: float32[8,3,3,3] = random(1)
  const w2: float32[8,8,3,3] = random(2)
  const w3: float32[8,8,3,3] = random(3)
  const w4: float32[4,8,1,1] = random(4)
  a = Conv(x, w1) pads=[1,1,1,1]
  b = HardSwish(a)
  c = Conv(b, w2) pads=[1,1,1,1]
  d = HardSwish(c)
  e = Conv(d, w3) pads=[1,1,1,1]
  f = HardSwish(e)
  y = Conv(f, w4)
  return y
`;

/** The second weight falls halfway between two codes, and has to do only where the Relu gives 0. */
const HALF_KEPT = `
  input x: float32[1,2,1,4]
  const w: float32[1,2,1,1] = [-1, 0.0118]
  a = Conv(x, w)
  y = Relu(a)
  return y
`;

const halfKept = (): Tensor => makeTensor("float32", [1, 2, 1, 4], Float32Array.of(1, -1, 1, -1, 1, 0, 1, 0));

const samplesOf = (graph: Graph): Samples => ({ size: 16, feeds: (index) => seededFeeds(graph, index + 1) });

async function compile(graph: Graph, sweep: boolean, weights = "int8"): Promise<Graph> {
  const passes = [
    { pass: "quantize/int8", weights },
    "lower/integer",
    { pass: "quantize/correct-bias", enabled: sweep },
  ];
  return (await runPasses(graph, passes, { calibration: samplesOf(graph) })).graph;
}

/** Σ over channels of the squared offset of the output's mean. */
function offset(graph: Graph, integer: Graph): number {
  const sums = new Float64Array(4);
  const type = integer.types.get("x");
  if (!type?.quant) throw new Error("the input was not quantized");
  for (let seed = 1; seed <= 16; seed++) {
    const feeds = seededFeeds(graph, seed);
    const want = (interpret(graph, feeds).get("y") as Tensor).data as Float32Array;
    const codes = quantize(feeds.get("x") as Tensor, type.dtype, type.quant);
    const made = interpret(integer, new Map([["x", codes]])).get("y") as Tensor;
    const got = dequantize({ ...made, quant: integer.types.get("y")?.quant }).data as Float32Array;
    got.forEach((value, index) => {
      sums[Math.floor(index / 64)] += (value - want[index]) / (64 * 16);
    });
  }
  return sums.reduce((total, sum) => total + sum * sum, 0);
}

describe("quantize/correct-bias", () => {
  it("brings the means of the integer model to the float model's, and changes nothing but biases", async () => {
    const graph = prepare(DEEP);
    const [plain, swept] = [await compile(graph, false), await compile(graph, true)];
    expect(swept.nodes.map((node) => node.op)).toEqual(plain.nodes.map((node) => node.op));
    expect(offset(graph, swept)).toBeLessThan(offset(graph, plain) / 4);
    expect([...swept.metadata.keys()]).toEqual([...plain.metadata.keys()]);
    expect(swept.metadata.has("quantize/float-means")).toBe(false);
  });

  it("has a Relu's results in view, not the numbers that the Relu throws away", async () => {
    const graph = prepare(HALF_KEPT);
    const calibration: Samples = { size: 4, feeds: () => new Map([["x", halfKept()]]) };
    const passes = ["quantize/int8", "lower/integer", "quantize/correct-bias"];
    const integer = (await runPasses(graph, passes, { calibration })).graph;
    const type = integer.types.get("x");
    const codes = quantize(halfKept(), "int8", type?.quant as Quant);
    const made = interpret(integer, new Map([["x", codes]])).get("y") as Tensor;
    const found = dequantize({ ...made, quant: integer.types.get("y")?.quant }).data as Float32Array;
    expect(Math.abs(found[1] - 1)).toBeLessThan(2e-4);
  });

  it("moves the biases of layers with 4-bit weights, and leaves these packed", async () => {
    const graph = prepare(DEEP);
    const [plain, swept] = [await compile(graph, false, "int4"), await compile(graph, true, "int4")];
    expect(swept.nodes.map((node) => node.op)).toEqual(plain.nodes.map((node) => node.op));
    expect(swept.nodes.filter(({ op }) => op === "UnpackWeights")).toHaveLength(4);
    const packed = (of: Graph) => [...of.constants].filter(([, { dtype }]) => dtype === "int4");
    expect(packed(swept)).toEqual(packed(plain));
    expect([...swept.constants.keys()].filter((name) => swept.types.has(name))).toEqual([]);
    expect(offset(graph, swept)).toBeLessThan(offset(graph, plain) / 4);
  });

  it("gives the same bytes every time, and leaves alone what it has no means of", async () => {
    const graph = prepare(DEEP);
    const [one, two] = [await compile(graph, true), await compile(graph, true)];
    expect(one.constants).toEqual(two.constants);
    const bare = makeGraph({ inputs: [], outputs: [], nodes: [] });
    expect((await runPasses(bare, ["quantize/correct-bias"])).graph).toEqual(bare);
  });
});
