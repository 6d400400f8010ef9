import { describe, expect, it } from "vitest";
import { dequantize } from "../../../src/ir/codes.ts";
import type { Graph, Tensor } from "../../../src/ir/graph.ts";
import { float32 } from "../../../src/ir/tensor.ts";
import type { Samples } from "../../../src/pass.ts";
import { openAlgebra } from "../../../src/quant/rounding/algebra.ts";
import { gramInit, openGrams } from "../../../src/quant/rounding/gram.ts";
import { linearLayers, matrixOf } from "../../../src/quant/rounding/layers.ts";
import { type NetworkOptions, roundNetwork } from "../../../src/quant/rounding/network.ts";
import { openSource } from "../../../src/quant/rounding/source.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

const OPTIONS: NetworkOptions = {
  method: "gptq+descent",
  block: 32,
  damping: 0.01,
  actOrder: true,
  passes: 3,
  steps: 200,
  formatOf: () => "int4",
  samples: 48,
  vectors: 64,
  stages: 8,
  prefix: "rounded",
  biasCorrection: false,
  emit: "codes",
  jobs: 1,
};

const samplesOf = (graph: Graph, size = 48): Samples => ({ size, feeds: (index) => seededFeeds(graph, index + 1) });

/** Σ (y − y₀)² / Σ y₀² over samples that calibration did not see. */
function errorOf(graph: Graph, rounded: Graph): number {
  let [error, size] = [0, 0];
  for (let seed = 100; seed < 124; seed++) {
    const feeds = seededFeeds(graph, seed);
    const want = (interpret(graph, feeds).get("y") as Tensor).data as Float32Array;
    const got = (interpret(rounded, feeds).get("y") as Tensor).data as Float32Array;
    want.forEach((value, index) => {
      error += (got[index] - value) ** 2;
      size += value * value;
    });
  }
  return error / size;
}

const DENSE = `
  input x: float32[1,3,8,8]
  const w1: float32[8,3,3,3] = random(1)
  const b1: float32[8] = random(2)
  const w2: float32[8,8,3,3] = random(3)
  const w3: float32[128,5] = random(4)
  const b3: float32[5] = random(5)
  const shape: int64[2] = [1, 128]
  c1 = Conv(x, w1, b1) pads=[1,1,1,1]
  h1 = Relu(c1)
  c2 = Conv(h1, w2) strides=[2,2] pads=[1,1,1,1]
  h2 = Relu(c2)
  f = Reshape(h2, shape)
  y = Gemm(f, w3, b3)
  return y
`;

const TRANSPOSED = `
  input x: float32[1,4,5,5]
  const w1: float32[4,6,3,3] = random(1)
  const b1: float32[6] = random(2)
  const w2: float32[6,2,3,3] = random(3)
  c1 = ConvTranspose(x, w1, b1) strides=[2,2] pads=[1,1,1,1]
  h1 = Relu(c1)
  y = ConvTranspose(h1, w2)
  return y
`;

const SHARED = `
  input x: float32[1,6,8,8]
  const w: float32[6,6,3,3] = random(1)
  const v: float32[6,6] = random(2)
  const b: float32[6] = random(3)
  const shape: int64[2] = [64, 6]
  c1 = Conv(x, w, b) pads=[1,1,1,1]
  h1 = Relu(c1)
  c2 = Conv(h1, w, b) pads=[1,1,1,1]
  h2 = Relu(c2)
  t = Transpose(h2) perm=[0,2,3,1]
  f = Reshape(t, shape)
  y = Gemm(f, v)
  return y
`;

const DEPTHWISE = `
  input x: float32[1,6,8,8]
  const w1: float32[12,1,3,3] = random(1)
  const w2: float32[6,4,1,1] = random(2)
  c1 = Conv(x, w1) group=6 dilations=[2,2] pads=[2,2,2,2]
  h1 = HardSwish(c1)
  y = Conv(h1, w2) group=3
  return y
`;

const GRAMS: readonly [name: string, graph: string][] = [
  ["dense, strided", DENSE],
  ["depthwise, dilated, grouped", DEPTHWISE],
  [
    "one axis, uneven padding",
    `
    input x: float32[2,4,9]
    const w: float32[6,2,3] = random(1)
    y = Conv(x, w) group=2 strides=[2] pads=[2,1]
    return y
  `,
  ],
  [
    "transposed, dilated, cropped",
    `
    input x: float32[2,3,5,4]
    const w: float32[3,4,3,2] = random(1)
    const b: float32[4] = random(2)
    y = ConvTranspose(x, w, b) strides=[2,3] dilations=[2,1] pads=[1,0,2,1] output_padding=[1,0]
    return y
  `,
  ],
  [
    "a product over the last axis",
    `
    input x: float32[2,3,5]
    const w: float32[5,4] = random(1)
    y = MatMul(x, w)
    return y
  `,
  ],
  [
    "Gemm, transposed",
    `
    input x: float32[3,5]
    const w: float32[4,5] = random(1)
    y = Gemm(x, w) transB=1
    return y
  `,
  ],
];

describe("Gram matrices", () => {
  // Σ y² follows from Σ xxᵀ and the weights: Σ_o w_o·H·w_oᵀ must be what the interpreter's outputs give.
  it.each(GRAMS)("%s: the energy of the outputs", async (_, text) => {
    const graph = prepare(text);
    const layers = linearLayers(graph);
    const work = await openGrams(gramInit(graph, graph, layers, 3, 1000));
    const feeds = [1, 2, 3].map((seed) => seededFeeds(graph, seed));
    const statistics = await work.run({ first: 0, samples: feeds });
    await work.release();
    layers.forEach((layer, index) => {
      const { groups, rows, depth } = layer;
      const { values: weights } = matrixOf(layer, graph.constants.get(layer.weights) as Tensor);
      const at = (row: number, place: number) => weights[row * depth + place];
      let energy = 0;
      let total = 0;
      for (let row = 0; row < rows; row++) {
        const group = Math.floor(row / (rows / groups));
        for (let i = 0; i < depth; i++) {
          total += at(row, i) * statistics[index].sum[group * depth + i];
          for (let j = 0; j < depth; j++) {
            energy += at(row, i) * at(row, j) * statistics[index].gram[group * depth * depth + i * depth + j];
          }
        }
      }
      let [wanted, wantedTotal] = [0, 0];
      const [node] = layer.nodes;
      const bare = { ...node, inputs: node.inputs.slice(0, 2) };
      const graphWithout = { ...graph, nodes: graph.nodes.map((each) => (each === node ? bare : each)) };
      for (const sample of feeds) {
        const [name] = node.outputs;
        const made = interpret(graphWithout, sample, { keep: new Set([name]) }).get(name) as Tensor;
        for (const value of made.data as Float32Array)
          [wanted, wantedTotal] = [wanted + value * value, wantedTotal + value];
      }
      expect(energy / wanted).toBeCloseTo(1, 4);
      expect(total).toBeCloseTo(wantedTotal, 2);
    });
  });
});

describe("roundNetwork", () => {
  it.each([
    ["dense", DENSE],
    ["depthwise and grouped", DEPTHWISE],
    ["transposed", TRANSPOSED],
  ])("%s: every step is at least as good as the one before, act-order too", async (_, text) => {
    const graph = prepare(text);
    const errorWith = async (more: Partial<NetworkOptions>) =>
      errorOf(graph, await roundNetwork(graph, samplesOf(graph), { ...OPTIONS, ...more }));
    const nearest = await errorWith({ method: "nearest" });
    const weighted = await errorWith({ method: "h-mse" });
    const both = await errorWith({});
    expect(weighted).toBeLessThan(nearest * 1.25);
    expect(both).toBeLessThan(weighted);
    expect(await errorWith({ method: "gptq" })).toBeLessThan(weighted * 1.05);
  });

  it("leaves int4 and int8 codes with their quantization, and says the same as reals", async () => {
    const graph = prepare(DENSE);
    const formatOf: NetworkOptions["formatOf"] = ({ op }) => (op === "Conv" ? "int4" : "int8");
    const codes = await roundNetwork(graph, samplesOf(graph), { ...OPTIONS, formatOf });
    const reals = await roundNetwork(graph, samplesOf(graph), { ...OPTIONS, formatOf, emit: "reals" });
    expect(["w1", "w2", "w3"].map((name) => codes.constants.get(name)?.dtype)).toEqual(["int4", "int4", "int8"]);
    expect(codes.constants.get("w2")?.quant?.multipliers?.block).toBe(32);
    expect(codes.constants.get("w1")?.quant?.multipliers).toBeUndefined();
    for (const name of ["w1", "w2", "w3"]) {
      expect(dequantize(codes.constants.get(name) as Tensor).data).toEqual(reals.constants.get(name)?.data);
    }
  });

  it("has the blocks of a transposed filter where its channels have them", async () => {
    const graph = prepare(TRANSPOSED);
    const codes = await roundNetwork(graph, samplesOf(graph), OPTIONS);
    const reals = await roundNetwork(graph, samplesOf(graph), { ...OPTIONS, emit: "reals" });
    for (const name of ["w1", "w2"]) {
      const tensor = codes.constants.get(name) as Tensor;
      expect(tensor.quant?.multipliers?.block).toBe(32);
      expect(dequantize(tensor).data).toEqual(reals.constants.get(name)?.data);
    }
  });

  it("takes the shift of the means back, also where there was no bias", async () => {
    const graph = prepare(DENSE);
    const rounded = await roundNetwork(graph, samplesOf(graph), {
      ...OPTIONS,
      method: "nearest",
      biasCorrection: true,
      vectors: 1000,
    });
    const plain = await roundNetwork(graph, samplesOf(graph), { ...OPTIONS, method: "nearest" });
    const keep = new Set(["c1", "c2", "y"]);
    const meansOf = (of: Graph) => {
      const sums = new Map<string, number[]>();
      for (let seed = 1; seed <= 48; seed++) {
        const found = interpret(of, seededFeeds(graph, seed), { keep });
        for (const name of keep) {
          const { data: values, shape } = found.get(name) as Tensor;
          const data = values as Float32Array;
          const channels = sums.get(name) ?? new Array<number>(shape[1]).fill(0);
          data.forEach((value, index) => {
            channels[Math.floor((index * shape[1]) / data.length)] += value / (48 * (data.length / shape[1]));
          });
          sums.set(name, channels);
        }
      }
      return [...sums.values()].flat();
    };
    const [want, got, uncorrected] = [meansOf(graph), meansOf(rounded), meansOf(plain)];
    const apart = (means: number[]) => Math.max(...means.map((mean, index) => Math.abs(mean - want[index])));
    expect(apart(got)).toBeLessThan(1e-3);
    expect(apart(uncorrected)).toBeGreaterThan(1e-2);
  });

  it("gives the same for one and for three workers, run by run where layers share their weights", async () => {
    const graph = prepare(SHARED);
    const outcomes = [1, 3].map((jobs) =>
      roundNetwork(graph, samplesOf(graph), { ...OPTIONS, biasCorrection: true, stages: 2, jobs }),
    );
    const [one, three] = await Promise.all(outcomes);
    const tensors = (of: Graph) => [...of.constants].map(([name, { data, quant }]) => [name, data, quant]);
    expect(tensors(three)).toEqual(tensors(one));
    const coarse = await roundNetwork(graph, samplesOf(graph), { ...OPTIONS, stages: 1, biasCorrection: true });
    const nearest = await roundNetwork(graph, samplesOf(graph), { ...OPTIONS, method: "nearest" });
    expect(errorOf(graph, one)).toBeLessThan(errorOf(graph, nearest));
    expect(errorOf(graph, coarse)).toBeLessThan(errorOf(graph, nearest));
  });

  it("sees the same layer by layer as run by run", async () => {
    const graph = prepare(DENSE);
    const layers = linearLayers(graph);
    const algebra = openAlgebra();
    const options = { samples: 48, vectors: 64, stages: 9, jobs: 1 };
    const cuts = await openSource(graph, layers, samplesOf(graph), options, algebra);
    // A number that does nothing, fed back: with states, samples have to run from the start.
    const twin: Graph = {
      ...prepare(DENSE.replace("input x", "input s: float32[1]\n  input x").replace("c1 =", "t = Neg(s)\n  c1 =")),
      states: [{ input: "s", output: "t", init: float32([1], [1]) }],
    };
    const stages = await openSource(twin, linearLayers(twin), samplesOf(graph), options, algebra);
    let [current, other] = [graph, twin];
    for (const [index, layer] of layers.entries()) {
      const [here, there] = [await cuts.statistics(index, current), await stages.statistics(index, other)];
      expect(there.count).toBe(here.count);
      for (const key of ["gram", "cross", "sum", "floatSum"] as const) {
        const [a, b] = [here[key] ?? [], there[key] ?? []];
        expect(b.length).toBe(a.length);
        for (let at = 0; at < a.length; at += 13) expect(b[at]).toBeCloseTo(a[at], 1);
      }
      const tensor = graph.constants.get(layer.weights) as Tensor;
      const changed = { ...tensor, data: (tensor.data as Float32Array).map((value) => value * 0.9) };
      current = { ...current, constants: new Map(current.constants).set(layer.weights, changed) };
      other = { ...other, constants: new Map(other.constants).set(layer.weights, changed) };
    }
    await algebra.release();
  });

  it("leaves alone weights that are something else besides, and what calibration never reached is rounded all the same", async () => {
    const graph = prepare(
      `
      input x: float32[2,4]
      const w: float32[4,4] = random(1)
      const v: float32[4,4] = random(2)
      a = MatMul(x, w)
      s = Add(a, w2)
      b = MatMul(s, v)
      y = Mul(b, two)
      const w2: float32[4] = random(3)
      const two: float32[4] = [1, 2, 3, 4]
      return y
    `.replace("s = Add(a, w2)", "t = Transpose(w)\n      u = MatMul(a, t)\n      s = Add(u, w2)"),
    );
    expect(linearLayers(graph).map(({ weights }) => weights)).toEqual(["v"]);
    const still: Samples = {
      size: 4,
      feeds: () => new Map([["x", { dtype: "float32", shape: [2, 4], data: new Float32Array(8) }]]),
    };
    const dead = prepare("input x: float32[2,4]\n const v: float32[4,4] = random(2)\n y = MatMul(x, v)\n return y");
    const rounded = await roundNetwork(dead, still, OPTIONS);
    expect(errorOf(dead, rounded)).toBeLessThan(0.02);
  });

  it("refuses inputs that are not numbers", async () => {
    const graph = prepare("input x: float32[1,4]\n const v: float32[4,4] = random(2)\n y = MatMul(x, v)\n return y");
    const data = Float32Array.of(1, Number.NaN, 0, 0);
    const broken: Samples = { size: 2, feeds: () => new Map([["x", { dtype: "float32", shape: [1, 4], data }]]) };
    await expect(roundNetwork(graph, broken, OPTIONS)).rejects.toThrow("not all finite");
    await expect(roundNetwork(graph, { ...broken, size: 0 }, OPTIONS)).rejects.toThrow("empty");
  });
});

describe("openAlgebra", () => {
  it("multiplies and correlates, small and large", async () => {
    const algebra = openAlgebra();
    const a = Float64Array.from({ length: 40 * 50 }, (_, index) => Math.sin(index));
    const b = Float64Array.from({ length: 50 * 60 }, (_, index) => Math.cos(index));
    const large = await algebra.multiply(a, 40, 50, b, 60);
    const first = await algebra.multiply(a.subarray(0, 50), 1, 50, b, 60);
    first.forEach((value, index) => {
      expect(value).toBeCloseTo(large[index], 9);
    });
    const x = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect([...(await algebra.correlate(x, x, 2, 2, 2))]).toEqual([10, 14, 14, 20, 74, 86, 86, 100]);
    await algebra.release();
  });
});
