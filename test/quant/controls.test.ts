/** What quantization decides, apart from how coarse it is: with so many codes that rounding vanishes, a quantized model is the float one. */
import { describe, expect, it } from "vitest";
import { dequantize, quantize } from "../../src/ir/codes.ts";
import type { Graph, Quant, Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import type { Feeds, Samples } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";
import { decoder, SEQUENCES, STEPS } from "./decoder.ts";

const RESIDUAL = () =>
  prepare(`
    input x: float32[1,3,8,8]
    const w1: float32[8,3,3,3] = random(1)
    const b1: float32[8] = random(2)
    const w2: float32[8,1,3,3] = random(3)
    const w3: float32[8,8,1,1] = random(4)
    const w4: float32[8,5] = random(5)
    const flat: int64[2] = [1, 8]
    c = Conv(x, w1, b1) pads=[1,1,1,1]
    r = Relu(c)
    d = Conv(r, w2) pads=[1,1,1,1] group=8
    h = HardSwish(d)
    p = Conv(h, w3)
    s = Add(p, r)
    g = GlobalAveragePool(s)
    v = Reshape(g, flat)
    y = MatMul(v, w4)
    return y
  `);

/** Bits of the codes as the recipe stores them, by type: one more where they have no sign, which those of 32 bits have. */
const BITS: Readonly<Record<string, number>> = { int4: 4, int8: 8, uint8: 9, int16: 16 };

/** The same range in codes of `bits`: as many more of them as there are bits more. */
function finer({ scale, zeroPoint, ...rest }: Quant, dtype: string, bits: number): Quant {
  const factor = 2 ** (bits - BITS[dtype]);
  return { ...rest, scale: scale.map((each) => each / factor), zeroPoint: zeroPoint.map((zero) => zero * factor) };
}

/**
 * The float graph with every value and weight told by codes of `bits` of the ranges that `annotated` decided, node by node; shifts of
 * the biases that make up for rounding are not taken over. `bits`: 32, or what the recipe says.
 */
function simulated(graph: Graph, annotated: Graph, feeds: Feeds, bits: 32 | "own"): Map<string, Tensor> {
  const told = (tensor: Tensor, quant: Quant, dtype: Tensor["dtype"]): Tensor => {
    if (bits === "own") return dequantize(quantize(tensor, dtype, quant));
    return dequantize(quantize(tensor, "int32", finer(quant, dtype, bits)));
  };
  const values = new Map<string, Tensor>(graph.constants);
  const put = (name: string, tensor: Tensor): void => {
    const type = annotated.types.get(name);
    values.set(name, tensor.dtype === "float32" && type?.quant ? told(tensor, type.quant, type.dtype) : tensor);
  };
  for (const [name, tensor] of feeds) put(name, tensor);
  for (const { input, init } of graph.states) put(input, init);
  graph.nodes.forEach((node, at) => {
    const stored = annotated.nodes[at].inputs.map((name) => annotated.constants.get(name));
    const inputs = node.inputs.map((name, index) => {
      const tensor = values.get(name);
      const grid = stored[index];
      if (!tensor || !grid?.quant || !graph.constants.has(name)) return tensor;
      return told(tensor, grid.quant, grid.dtype);
    });
    const names = node.inputs.map((name, index) => (name ? `in${index}` : ""));
    const alone = {
      ...graph,
      states: [],
      inputs: names.filter((name) => name !== ""),
      nodes: [{ ...node, inputs: names }],
    };
    const types = new Map(
      names.flatMap((name, index) => {
        const tensor = inputs[index];
        return tensor ? [[name, { dtype: tensor.dtype, shape: tensor.shape }] as const] : [];
      }),
    );
    const given = new Map(names.flatMap((name, index) => (inputs[index] ? [[name, inputs[index]] as const] : [])));
    const single: Graph = { ...alone, constants: new Map(), types, outputs: node.outputs };
    for (const [name, tensor] of interpret(single, given)) put(name, tensor as Tensor);
  });
  return values;
}

/** Energy of error over energy, of the outputs on samples that calibration saw. */
async function errorOf(graph: Graph, calibration: Samples, bits: 32 | "own"): Promise<number> {
  const passes = [{ pass: "quantize/int8", calibrator: "min-max", biasCorrection: false }];
  const annotated = (await runPasses(graph, passes, { calibration })).graph;
  let [signal, error] = [0, 0];
  for (let index = 0; index < 4; index++) {
    const feeds = await calibration.feeds(index);
    const held = new Map(graph.states.map(({ input, init }) => [input, init]));
    const wanted = interpret(graph, new Map([...held, ...feeds]));
    const found = simulated(graph, annotated, feeds, bits);
    for (const name of graph.outputs) {
      const [a, b] = [wanted.get(name) as Tensor, found.get(name) as Tensor].map(numbersOf);
      a.forEach((value, at) => {
        signal += value * value;
        error += (value - b[at]) ** 2;
      });
    }
  }
  return error / signal;
}

describe("controls: a grid of 32 bits equals float", () => {
  // What is left is the half step that a range may lack at either end, since its zero must be a code.
  const compare = async (graph: Graph, samples: Samples) => {
    const [fine, own] = [await errorOf(graph, samples, 32), await errorOf(graph, samples, "own")];
    expect(fine).toBeLessThan(1e-6);
    expect(100 * fine).toBeLessThan(own);
  };

  it("in a residual network", async () => {
    const network = RESIDUAL();
    await compare(network, { size: 4, feeds: (index) => seededFeeds(network, index + 1) });
  });

  it("in a decoder with caches", async () => {
    const graph = (await runPasses(decoder(), ["lower/mask"])).graph;
    await compare(graph, { size: 4, feeds: (index) => SEQUENCES.feeds(STEPS * index) });
  });
});
