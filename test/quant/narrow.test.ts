/** Activations of 4 bits: which values have them, and that everybody who computes stays within their 16 codes. */
import { describe, expect, it } from "vitest";
import { loadInteger } from "../../src/emulate/integer.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { quantize } from "../../src/ir/codes.ts";
import { type Graph, logical, type Tensor } from "../../src/ir/graph.ts";
import { decode } from "../../src/ir/numbers.ts";
import { makeTensor, numbersOf, valuesOf } from "../../src/ir/tensor.ts";
import { narrowValues } from "../../src/ops/shared/npu/narrow.ts";
import { runPasses } from "../../src/passes.ts";
import { emptyHistogram, observe } from "../../src/quant/histogram.ts";
import { int4Range, quantOf } from "../../src/quant/ranges.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

async function annotated(text: string, options: Readonly<Record<string, unknown>>): Promise<Graph> {
  const graph = prepare(text);
  const float = { ...graph, types: new Map([...graph.types].map(([name, type]) => [name, logical(type)])) };
  const calibration = { size: 6, feeds: (index: number) => seededFeeds(float, index + 1) };
  const pass = { pass: "quantize/int8", weights: "int4", ...options };
  return (await runPasses(graph, [pass], { calibration })).graph;
}

const BLOCK = `
  input x: float32[1,2,6,6]
  const w0: float32[4,2,3,3] = random(1)
  const w1: float32[4,4,3,3] = random(2)
  const w2: float32[4,4,1,1] = random(3)
  const w3: float32[4,3] = random(4)
  const flat: int64[2] = [1,4]
  a = Conv(x, w0) pads=[1,1,1,1]
  r = Relu(a)
  b = Conv(r, w1) pads=[1,1,1,1]
  s = Add(b, r)
  t = Relu(s)
  c = Conv(t, w2)
  u = Add(c, t)
  v = Relu(u)
  g = GlobalAveragePool(v)
  f = Reshape(g, flat)
  y = Gemm(f, w3)
  return y
`;

/** Values → how they are stored. */
const STORED: readonly (readonly [string, Readonly<Record<string, unknown>>, Readonly<Record<string, string>>])[] = [
  [
    "what layers read, and neither the input, nor branches of sums, nor scores",
    { activations: "int4" },
    { x: "int8", r: "int4", b: "int8", t: "int4", c: "int8", v: "int8", g: "int4", f: "int4", y: "int16" },
  ],
  [
    "but for layers whose format says 8 bits",
    { activations: "int4", formats: { "node-c": "W4A8", "node-y": "W8A8" } },
    { x: "int8", r: "int4", t: "int8", f: "int8" },
  ],
  [
    "only in layers whose format says so, beside 16 bits too",
    { activations: "int16", formats: { "node-b": "W4A4", "node-a": "W4A4", "node-y": "W8A4" } },
    { x: "int8", r: "int4", b: "int16", t: "int16", f: "int4" },
  ],
  ["not in those that are named for 16 bits", { activations: "int4", int16: ["t"] }, { r: "int4", t: "int16" }],
];

describe("4 bits are given to", () => {
  it.each(STORED)("%s", async (_, options, wanted) => {
    const { types } = await annotated(BLOCK, options);
    expect(Object.fromEntries(Object.keys(wanted).map((name) => [name, types.get(name)?.dtype]))).toEqual(wanted);
    for (const { dtype, quant } of types.values()) {
      if (dtype !== "int4" || !quant) continue;
      // Behind a Relu all 16 codes are above 0.
      expect([...quant.zeroPoint]).toEqual([-8]);
    }
  });

  it("no Softmax, whose scale is its own", async () => {
    const { types } = await annotated(
      `
        input q: float32[1,4,4]
        const w: float32[4,4] = random(1)
        a = MatMul(q, w)
        p = Softmax(a)
        b = MatMul(p, a)
        y = Relu(b)
        return y
      `,
      { activations: "int4" },
    );
    expect(["a", "p"].map((name) => types.get(name)?.dtype)).toEqual(["int4", "uint8"]);
  });
});

/** Operators that make values which layers read. */
const MAKERS: Readonly<Record<string, string>> = {
  Relu: "m = Relu(a)",
  HardSwish: "m = HardSwish(a)",
  "nothing between": "m = Conv(a, w1)",
  MaxPool: "m = MaxPool(a) kernel_shape=[2,2]",
  AveragePool: "m = AveragePool(a) kernel_shape=[2,2]",
  Resize: 'm = Resize(a, "", scales) mode="linear"',
  "Add of values in 8 bits": "e = Conv(a, w1)\n  h = Relu(a)\n  m = Add(e, h)",
  "Concat with a constant": "m = Concat(a, k) axis=1",
  Max: "e = Conv(a, w1)\n  m = Max(e, a)",
  "Pad, Slice": "p = Pad(a, pads)\n  m = Slice(p, from, to)",
  Tanh: "e = Relu(a)\n  z = Add(e, a)\n  m = Tanh(z)",
};

const network = (maker: string): string => `
  input x: float32[1,3,6,6]
  const w0: float32[4,3,3,3] = random(1)
  const w1: float32[4,4,1,1] = random(2)
  const w2: float32[5,${maker.includes("Concat") ? 8 : 4},1,1] = random(3)
  const k: float32[1,4,4,4] = random(4)
  const scales: float32[4] = [1,1,2,2]
  const pads: int64[8] = [0,0,1,1,0,0,1,1]
  const from: int64[4] = [0,0,0,0]
  const to: int64[4] = [1,4,5,5]
  a = Conv(x, w0)
  ${maker}
  y = Conv(m, w2)
  return y
`;

describe("16 codes behind", () => {
  it.each(Object.entries(MAKERS))("%s", async (_, maker) => {
    const float = prepare(network(maker));
    // A bias is rounded to what the accumulator counts in, now and then past a code.
    const fake = await annotated(network(maker), { activations: "int4", biasCorrection: false });
    const narrow = [...fake.types].filter(([, { dtype, quant }]) => dtype === "int4" && quant).map(([name]) => name);
    expect(narrow).toContain("m");
    const { graph } = await runPasses(fake, ["lower/integer"]);
    expect(graph.nodes.every(({ domain }) => domain === "npu")).toBe(true);
    const integer = { ...graph, outputs: [...graph.outputs, ...narrow.filter((name) => graph.types.has(name))] };
    const real = { ...fake, outputs: integer.outputs };
    const machine = createMachine(encodeProgram(schedule(integer, loadTarget("ai5-preview")).program));
    const fast = loadInteger(integer);
    let [codes, other] = [0, 0];
    for (const seed of [1, 3, 9]) {
      const feeds = seededFeeds(float, seed);
      const given = new Map([...feeds].map(([name, tensor]) => [name, codesOf(fake, name, tensor)]));
      const oracle = interpret(integer, given);
      const found = fast.run(given);
      const ran = machine.run(
        "main",
        new Map([...given].map(([name, tensor]) => [name, valuesOf(tensor) as AnyArray])),
      );
      const wanted = interpret(real, feeds);
      for (const name of integer.outputs) {
        const list = numbersOf(oracle.get(name) as Tensor);
        expect(numbersOf(found.get(name) as Tensor)).toEqual(list);
        expect([...(ran.get(name) as AnyArray)].map(Number)).toEqual(list);
        if (name === "y") continue;
        expect(Math.min(...list)).toBeGreaterThanOrEqual(-8);
        expect(Math.max(...list)).toBeLessThanOrEqual(7);
        for (const [at, code] of Array.from(decode(wanted.get(name) as Tensor), Number).entries()) {
          codes++;
          if (code !== list[at]) other++;
          expect(Math.abs(code - list[at])).toBeLessThanOrEqual(1);
        }
      }
    }
    // What interpolates in the array has weights of 8 bits; all else is the same, code by code.
    if (maker.includes("Resize")) expect(other / codes).toBeLessThan(0.05);
    else expect(other).toBe(0);
  });

  it("whatever the host feeds or makes", async () => {
    const quantized = await annotated(
      `
        input x: int4[1,4,3,3]{scale=0.25, zero=-3}
        const w: float32[2,4,1,1] = random(1)
        h: int4[1,4,3,3]{scale=0.05, zero=-8} = Hardmax(x) axis=1
        y = Conv(h, w)
        return y
      `,
      {},
    );
    const { graph } = await runPasses(quantized, ["lower/integer"]);
    expect(graph.nodes.filter(({ domain }) => domain === "").map(({ op }) => op)).toEqual(["Hardmax"]);
    const codes = Int8Array.from({ length: 36 }, (_, at) => 7 * at - 128);
    const x = makeTensor("int8", [1, 4, 3, 3], codes, graph.types.get("x")?.quant);
    const [clamped] = graph.nodes[1].inputs;
    const found = interpret({ ...graph, outputs: [clamped, "h"] }, new Map([["x", x]]));
    expect(numbersOf(found.get(clamped) as Tensor)).toEqual(
      Array.from(codes, (code) => Math.min(7, Math.max(-8, code))),
    );
    // 1 would be code 12.
    expect(new Set(numbersOf(found.get("h") as Tensor))).toEqual(new Set([-8, 7]));
  });
});

function codesOf(graph: Graph, name: string, tensor: Tensor): Tensor {
  const { dtype, quant } = graph.types.get(name) ?? {};
  return dtype && quant ? quantize(tensor, dtype, quant) : tensor;
}

describe("a range for 16 codes", () => {
  it("errs less than any other share of what was seen, however much of it is 0", () => {
    const values = Array.from({ length: 4000 }, (_, at) => (at % 2 === 0 ? 0 : -Math.log((at + 0.5) / 4000)));
    const histogram = emptyHistogram();
    observe(histogram, Float32Array.from(values));
    const errorOf = (high: number): number => {
      const { scale, zeroPoint } = quantOf({ low: 0, high }, "int4");
      const back = (value: number) => Math.min(7, Math.round(value / scale[0]) + zeroPoint[0]) - zeroPoint[0];
      return values.reduce((sum, value) => sum + (value - back(value) * scale[0]) ** 2, 0);
    };
    const { low, high } = int4Range(histogram);
    expect(low).toBe(0);
    const most = Math.max(...values);
    expect(high).toBeLessThan(0.8 * most);
    for (let share = 0.2; share <= 1; share += 0.05) expect(errorOf(high)).toBeLessThan(1.02 * errorOf(share * most));
  });
});

it("what has no more than 16 codes is known by what made it", () => {
  const graph = prepare(`
    graph opset 21, npu 1
    input x: int8[1,2,4,4]{scale=0.1}
    const m: int32[1] = [1073741824]
    const s: int32[1] = [30]
    const t: int8[256] = zeros
    a: int8[1,2,4,4]{scale=0.1} = npu.Rescale(x, m, s) x_zero=0 y_zero=0 y_min=-8 y_max=7 y_dtype="int8"
    b: int8[1,2,4,4]{scale=0.1} = npu.Rescale(x, m, s) x_zero=0 y_zero=0 y_min=-8 y_max=8 y_dtype="int8"
    c: int8[1,2,2,2]{scale=0.1} = npu.MaxPool(a) kernel_shape=[2,2] strides=[2,2] pads=[0,0,0,0] dilations=[1,1] ceil_mode=0
    d: int8[1,2,8,4]{scale=0.1} = npu.Concat(a, b) axis=2
    e: int8[1,2,8,4]{scale=0.1} = npu.Concat(a, a) axis=2
    f: int8[1,2,4,4]{scale=0.1} = npu.Table(x, t)
    return c, d, e, f
  `);
  expect([...narrowValues(graph)]).toEqual(["a", "c", "e", "f"]);
});
