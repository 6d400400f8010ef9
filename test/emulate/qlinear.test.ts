/** Under `ort-f32-rne` the chip's Conv and MatMul are ONNX Runtime's QLinearConv, QLinearMatMul and QGemm, bit for bit. */
import { describe, expect, test } from "vitest";
import { loadInteger } from "../../src/emulate/integer.ts";
import { attrs, makeGraph, type Node, type Tensor, type Type } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, makeTensor, numbersOf, scalar } from "../../src/ir/tensor.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { codes, type Draw, drawFrom } from "./cases.ts";

interface Layer {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly bias: Tensor;
  readonly xScale: number;
  readonly wScales: readonly number[];
  readonly yScale: number;
  readonly xZero: number;
  readonly yZero: number;
  readonly shape: readonly number[];
}

/** Scales such that outputs spread over the codes; powers of two make ties common. */
function layer(draw: Draw, x: Tensor, w: Tensor, channels: number, depth: number, shape: readonly number[]): Layer {
  const powers = draw.maybe();
  const scale = (low: number, high: number) => {
    const real = 2 ** -draw.int(low, high);
    return Math.fround(powers ? real : real * (0.5 + draw.int(0, 1000) / 1000));
  };
  const xScale = scale(2, 6);
  const wScales = Array.from({ length: channels }, () => scale(6, 9));
  const yScale = Math.fround(
    2 ** Math.round(Math.log2(xScale * 2 ** -7.5 * 80 * Math.sqrt(depth))) * (powers ? 1 : 0.9),
  );
  const bias = codes(draw, "int32", [channels], -3000, 3000);
  return { x, w, bias, xScale, wScales, yScale, xZero: draw.int(-128, 127), yZero: draw.int(-128, 127), shape };
}

/** As MLAS: the product of the float32 scales, then the quotient, each rounded to float32. */
function multipliers({ xScale, wScales, yScale }: Layer): Tensor {
  return float32(
    [wScales.length],
    wScales.map((wScale) => Math.fround(Math.fround(xScale * wScale) / yScale)),
  );
}

function chip(op: string, at: Layer, inputs: readonly string[], entries: Parameters<typeof attrs>[0]): Tensor[] {
  const node: Node = {
    op,
    domain: "npu",
    inputs,
    outputs: ["y"],
    attrs: attrs({ ...entries, round: { s: "ort-f32-rne" }, y_zero: { i: at.yZero } }),
    origin: [],
  };
  const graph = makeGraph({
    inputs: ["x"],
    outputs: ["y"],
    nodes: [node],
    constants: new Map([
      ["w", at.w],
      ["bias", at.bias],
      ["multiplier", multipliers(at)],
      ["shift", makeTensor("int32", [1], Int32Array.of(31))],
    ]),
    types: new Map<string, Type>([["x", { dtype: "int8", shape: at.x.shape }]]),
  });
  const feeds = new Map([["x", at.x]]);
  return [interpret(graph, feeds).get("y") as Tensor, loadInteger(graph).run(feeds).get("y") as Tensor];
}

async function onnxRuntime(node: Node, at: Layer, constants: Record<string, Tensor>): Promise<Tensor> {
  const graph = makeGraph({
    inputs: ["x"],
    outputs: ["y"],
    nodes: [node],
    constants: new Map(Object.entries(constants)),
    types: new Map<string, Type>([
      ["x", { dtype: "int8", shape: at.x.shape }],
      ["y", { dtype: "int8", shape: at.shape }],
    ]),
    opsets: new Map([
      ["", 21],
      ["com.microsoft", 1],
    ]),
  });
  const session = await createSession(encodeModel(graph));
  const y = (await session.run(new Map([["x", at.x]]))).get("y") as Tensor;
  await session.release();
  return y;
}

function parameters(at: Layer, perChannel: boolean): Record<string, Tensor> {
  const channels = at.wScales.length;
  return {
    xScale: float32([], [at.xScale]),
    xZero: scalar("int8", at.xZero),
    w: at.w,
    wScale: float32(perChannel ? [channels] : [], perChannel ? at.wScales : at.wScales.slice(0, 1)),
    wZero: perChannel ? makeTensor("int8", [channels], new Int8Array(channels)) : scalar("int8", 0),
    yScale: float32([], [at.yScale]),
    yZero: scalar("int8", at.yZero),
    bias: at.bias,
  };
}

const standard = (op: string, inputs: string[], domain = "", entries: Parameters<typeof attrs>[0] = {}): Node => ({
  op,
  domain,
  inputs,
  outputs: ["y"],
  attrs: attrs(entries),
  origin: [],
});

function expectSame(results: readonly Tensor[], expected: Tensor, seed: number): number {
  for (const result of results) expect(numbersOf(result), `seed ${seed}`).toEqual(numbersOf(expected));
  return new Set(numbersOf(expected)).size;
}

describe("ort-f32-rne", () => {
  test("Conv is QLinearConv", async () => {
    let varied = 0;
    for (let seed = 0; seed < 40; seed++) {
      const draw = drawFrom(seededRandom(`conv ${seed}`));
      const group = draw.pick([1, 1, 2, 3]);
      const [inputs, outputs] = [draw.int(1, 8) * group, draw.int(1, 8) * group];
      const size = draw.pick([1, 3]);
      const stride = draw.int(1, 2);
      const pad = size === 3 ? draw.int(0, 1) : 0;
      const x = codes(draw, "int8", [1, inputs, 9, 12]);
      const w = codes(draw, "int8", [outputs, inputs / group, size, size], -127);
      const out = (length: number) => Math.floor((length + 2 * pad - size) / stride) + 1;
      const at = layer(draw, x, w, outputs, (inputs / group) * size * size, [1, outputs, out(9), out(12)]);
      const window = {
        strides: { ints: [stride, stride] },
        pads: { ints: [pad, pad, pad, pad] },
        group: { i: group },
      };
      const results = chip("Conv", at, ["x", "w", "bias", "multiplier", "shift"], {
        ...window,
        x_zero: { i: at.xZero },
      });
      const names = ["x", "xScale", "xZero", "w", "wScale", "wZero", "yScale", "yZero", "bias"];
      const expected = await onnxRuntime(standard("QLinearConv", names, "", window), at, parameters(at, true));
      varied += expectSame(results, expected, seed);
    }
    expect(varied / 40).toBeGreaterThan(30);
  });

  test("MatMul is QLinearMatMul", async () => {
    let varied = 0;
    for (let seed = 0; seed < 40; seed++) {
      const draw = drawFrom(seededRandom(`matmul ${seed}`));
      const [m, k, n] = [draw.int(1, 9), draw.int(1, 70), draw.int(1, 30)];
      const plain = layer(draw, codes(draw, "int8", [2, m, k]), codes(draw, "int8", [k, n], -127), n, k, [2, m, n]);
      const at = { ...plain, bias: makeTensor("int32", [n], new Int32Array(n)) };
      const results = chip("MatMul", at, ["x", "w", "bias", "multiplier", "shift"], { a_zero: { i: at.xZero } });
      const { bias: _, ...constants } = parameters(at, true);
      const names = ["x", "xScale", "xZero", "w", "wScale", "wZero", "yScale", "yZero"];
      varied += expectSame(results, await onnxRuntime(standard("QLinearMatMul", names), at, constants), seed);
    }
    expect(varied / 40).toBeGreaterThan(20);
  });

  test("Gemm, lowered to MatMul with a bias, is QGemm", async () => {
    let varied = 0;
    for (let seed = 0; seed < 40; seed++) {
      const draw = drawFrom(seededRandom(`gemm ${seed}`));
      const [m, k, n] = [draw.int(1, 9), draw.int(1, 70), draw.int(1, 30)];
      const at = layer(draw, codes(draw, "int8", [m, k]), codes(draw, "int8", [k, n], -127), n, k, [m, n]);
      const results = chip("MatMul", at, ["x", "w", "bias", "multiplier", "shift"], { a_zero: { i: at.xZero } });
      const names = ["x", "xScale", "xZero", "w", "wScale", "wZero", "bias", "yScale", "yZero"];
      const node = standard("QGemm", names, "com.microsoft", { alpha: { f: 1 } });
      varied += expectSame(results, await onnxRuntime(node, at, parameters(at, true)), seed);
    }
    expect(varied / 40).toBeGreaterThan(20);
  });
});
