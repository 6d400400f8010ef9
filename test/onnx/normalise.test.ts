import { describe, expect, test } from "vitest";
import { CompileError } from "../../src/error.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { bytesOf, numbersOf } from "../../src/ir/tensor.ts";
import { parse, print } from "../../src/ir/text.ts";
import { normalise } from "../../src/onnx/normalise.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { randomFeeds } from "../harness/differential.ts";

async function runtime(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await createSession(encodeModel(graph), { optimization: "disabled" });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

function operators(graph: Graph): string {
  return graph.nodes.map((node) => node.op).join(" ");
}

describe("older forms compute the same after they were brought to opset 21", () => {
  test.each<[string, string, string]>([
    [
      "Squeeze, axes as attribute",
      "graph a opset 11\ninput x: float32[2,1,3]\ny = Squeeze(x) axes=[1]\nreturn y",
      "Squeeze",
    ],
    ["Squeeze without axes", "graph a opset 11\ninput x: float32[2,1,3]\ny = Squeeze(x)\nreturn y", "Squeeze"],
    ["Unsqueeze", "graph a opset 11\ninput x: float32[2,3]\ny = Unsqueeze(x) axes=[0,3]\nreturn y", "Unsqueeze"],
    [
      "ReduceSum",
      "graph a opset 12\ninput x: float32[2,3]\ny = ReduceSum(x) axes=[1] keepdims=0\nreturn y",
      "ReduceSum",
    ],
    ["ReduceMean", "graph a opset 17\ninput x: float32[2,3]\ny = ReduceMean(x) axes=[-1]\nreturn y", "ReduceMean"],
    ["ReduceL2 over all", "graph a opset 13\ninput x: float32[2,3]\ny = ReduceL2(x)\nreturn y", "ReduceL2"],
    [
      "Slice",
      "graph a opset 9\ninput x: float32[4,5]\ny = Slice(x) starts=[1,-3] ends=[3,100] axes=[0,1]\nreturn y",
      "Slice",
    ],
    [
      "Slice without axes",
      "graph a opset 9\ninput x: float32[4,5]\ny = Slice(x) starts=[1,0] ends=[3,2]\nreturn y",
      "Slice",
    ],
    ["Clip", "graph a opset 6\ninput x: float32[4,5]\ny = Clip(x) min=-0.5 max=1.0\nreturn y", "Clip"],
    ["Clip, upper bound alone", "graph a opset 10\ninput x: float32[4,5]\ny = Clip(x) max=1.0\nreturn y", "Clip"],
    [
      "Clip of float64",
      "graph a opset 10\ninput x: float32[4]\nd = Cast(x) to=11\nc = Cast(d) to=1\ny = Clip(c) min=0.0\nreturn y",
      "Cast Cast CastLike Clip",
    ],
    ["Pad", "graph a opset 10\ninput x: float32[2,3]\ny = Pad(x) pads=[0,1,1,0] value=2.5\nreturn y", "Pad"],
    [
      "Pad, reflected",
      'graph a opset 10\ninput x: float32[2,3]\ny = Pad(x) pads=[0,1,1,0] mode="reflect"\nreturn y',
      "Pad",
    ],
    ["Dropout", "graph a opset 10\ninput x: float32[2,3]\ny = Dropout(x) ratio=0.3\nreturn y", "Dropout"],
    ["TopK", "graph a opset 9\ninput x: float32[2,5]\ny, i = TopK(x) k=2 axis=1\nreturn y, i", "TopK"],
    [
      "Split with sizes",
      "graph a opset 11\ninput x: float32[2,5]\na, b = Split(x) axis=1 split=[2,3]\nreturn a, b",
      "Split",
    ],
    ["Split evenly", "graph a opset 13\ninput x: float32[2,6]\na, b, c = Split(x) axis=1\nreturn a, b, c", "Split"],
    [
      "Upsample with scales as attribute",
      'graph a opset 7\ninput x: float32[1,1,2,3]\ny = Upsample(x) mode="nearest" scales=[1.0,1.0,2.0,3.0]\nreturn y',
      "Resize",
    ],
    [
      "Upsample, linear",
      'graph a opset 9\ninput x: float32[1,1,2,3]\nconst s: float32[4] = [1, 1, 2, 3]\ny = Upsample(x, s) mode="linear"\nreturn y',
      "Resize",
    ],
    [
      "Resize 10 that shrinks",
      "graph a opset 10\ninput x: float32[1,1,4,6]\nconst s: float32[4] = [1, 1, 0.6, 0.6]\ny = Resize(x, s)\nreturn y",
      "Resize",
    ],
    [
      "Resize 11",
      'graph a opset 11\ninput x: float32[1,1,2,3]\nconst r: float32[0] = []\nconst s: float32[4] = [1, 1, 2, 2]\ny = Resize(x, r, s) mode="linear" coordinate_transformation_mode="half_pixel"\nreturn y',
      "Resize",
    ],
    [
      "GridSample",
      'graph a opset 16\ninput x: float32[1,1,4,4]\ninput g: float32[1,2,2,2]\ny = GridSample(x, g) mode="bilinear"\nreturn y',
      "GridSample",
    ],
    [
      "BatchNormalization 8",
      "graph a opset 8\ninput x: float32[2,3,4]\nconst s: float32[3] = random(1)\nconst b: float32[3] = random(2)\nconst m: float32[3] = random(3)\nconst v: float32[3] = random(4, 0.5, 2)\ny = BatchNormalization(x, s, b, m, v) spatial=1\nreturn y",
      "BatchNormalization",
    ],
    [
      "Softmax 11 over the last axis",
      "graph a opset 11\ninput x: float32[2,3,4]\ny = Softmax(x) axis=2\nreturn y",
      "Softmax",
    ],
    [
      "Softmax 11, flattened",
      "graph a opset 11\ninput x: float32[2,3,4]\ny = Softmax(x)\nreturn y",
      "Flatten Softmax Reshape",
    ],
    ["Softmax 11 of a matrix", "graph a opset 11\ninput x: float32[2,3]\ny = Softmax(x)\nreturn y", "Softmax"],
    [
      "Softmax 11 before dimensions of 1",
      "graph a opset 11\ninput x: float32[2,3,1,1]\ny = Softmax(x)\nreturn y",
      "Softmax",
    ],
    [
      "LogSoftmax 9",
      "graph a opset 9\ninput x: float32[2,3,4]\ny = LogSoftmax(x) axis=0\nreturn y",
      "Flatten LogSoftmax Reshape",
    ],
    [
      "Hardmax 9",
      "graph a opset 9\ninput x: float32[2,3,4]\ny = Hardmax(x) axis=1\nreturn y",
      "Flatten Hardmax Reshape",
    ],
    [
      "Conv with SAME_UPPER",
      'graph a opset 11\ninput x: float32[1,1,5,6]\nconst w: float32[1,1,3,2] = random(1)\ny = Conv(x, w) auto_pad="SAME_UPPER" strides=[2,2]\nreturn y',
      "Conv",
    ],
    [
      "MaxPool with SAME_LOWER",
      'graph a opset 8\ninput x: float32[1,1,5,6]\ny = MaxPool(x) auto_pad="SAME_LOWER" kernel_shape=[2,2]\nreturn y',
      "MaxPool",
    ],
    [
      "AveragePool with VALID",
      'graph a opset 10\ninput x: float32[1,1,5,6]\ny = AveragePool(x) auto_pad="VALID" kernel_shape=[2,2]\nreturn y',
      "AveragePool",
    ],
    [
      "RoiAlign 10",
      "graph a opset 10\ninput x: float32[1,1,6,6]\nconst r: float32[1,4] = [0.5, 0.5, 4, 4]\nconst i: int64[1] = [0]\ny = RoiAlign(x, r, i) output_height=2 output_width=2 sampling_ratio=2\nreturn y",
      "RoiAlign",
    ],
    ["DFT 17", "graph a opset 17\ninput x: float32[1,4,3,2]\ny = DFT(x)\nreturn y", "DFT"],
    [
      "Scatter",
      "graph a opset 9\ninput x: float32[3,3]\nconst i: int64[1,2] = [1, 2]\ninput u: float32[1,2]\ny = Scatter(x, i, u) axis=1\nreturn y",
      "ScatterElements",
    ],
    [
      "GroupNormalization 18",
      "graph a opset 18\ninput x: float32[1,4,3]\nconst s: float32[2] = [2, 3]\nconst b: float32[2] = [0.5, -1]\ny = GroupNormalization(x, s, b) num_groups=2\nreturn y",
      "Shape Div Concat Unsqueeze Expand Reshape Unsqueeze Expand Reshape GroupNormalization",
    ],
    [
      "Constant's other forms",
      "graph a opset 13\ninput x: float32[3]\na = Constant() value_floats=[1.0,2.0,3.0]\nb = Constant() value_float=0.5\nc = Add(x, a)\ny = Mul(c, b)\nreturn y",
      "Add Mul",
    ],
    [
      "conversions inside a branch",
      "graph a opset 10\ninput x: float32[1,3]\ninput c: bool[]\ny = If(c) then_branch={\n  t = Squeeze(x) axes=[0]\n  return t\n} else_branch={\n  e = Clip(x) min=0.0\n  s = Squeeze(e) axes=[0]\n  return s\n}\nreturn y",
      "If",
    ],
  ])("%s", async (_, text, expected) => {
    const old = parse(text);
    const graph = normalise(old);
    expect(operators(graph)).toBe(expected);
    expect(graph.opsets.get("")).toBe(21);
    const feeds = randomFeeds(old);
    const before = await runtime(old, feeds);
    const after = await runtime(graph, feeds);
    const here = interpret(graph, feeds);
    for (const [name, tensor] of before) {
      expect(after.get(name)?.shape).toEqual(tensor.shape);
      expect(here.get(name)).toMatchObject({ dtype: tensor.dtype, shape: tensor.shape });
      const values = numbersOf(tensor);
      numbersOf(after.get(name) as Tensor).forEach((value, at) => void expect(value).toBeCloseTo(values[at], 5));
      numbersOf(here.get(name) as Tensor).forEach((value, at) => void expect(value).toBeCloseTo(values[at], 5));
    }
  });
});

test("Scan of opset 8 becomes a Scan over the batch", () => {
  const old = parse(
    "graph a opset 8\ninput h: float32[2,1]\ninput x: float32[2,3,1]\nf, y = Scan(_, h, x) num_scan_inputs=1 body={\n" +
      "  input s: float32[1]\n  input e: float32[1]\n  n = Add(s, e)\n  o = Identity(n)\n  return n, o\n}\nreturn f, y",
  );
  const tensor = (shape: number[], data: number[]): Tensor => ({
    dtype: "float32",
    shape,
    data: Float32Array.from(data),
  });
  const feeds = new Map([
    ["h", tensor([2, 1], [0, 10])],
    ["x", tensor([2, 3, 1], [1, 2, 3, 4, 5, 6])],
  ]);
  const outputs = interpret(normalise(old), feeds);
  expect(outputs.get("f")).toMatchObject({ shape: [2, 1], data: Float32Array.of(6, 25) });
  expect(outputs.get("y")).toMatchObject({ shape: [2, 3, 1], data: Float32Array.of(1, 3, 6, 14, 19, 25) });
});

describe("before opset 7", () => {
  test("operands are placed where the axis says", () => {
    const graph = normalise(
      parse(
        "graph a opset 6\ninput x: float32[2,3,4]\ninput b: float32[3]\ny = Add(x, b) broadcast=1 axis=1\nreturn y",
      ),
    );
    expect(operators(graph)).toBe("Unsqueeze Add");
    expect(graph.types.get("y")?.shape).toEqual([2, 3, 4]);
  });

  test("a slope of several numbers is one a channel", () => {
    const graph = normalise(
      parse("graph a opset 6\ninput x: float32[2,3,4]\nconst s: float32[3] = [1, 2, 3]\ny = PRelu(x, s)\nreturn y"),
    );
    expect(operators(graph)).toBe("Unsqueeze PRelu");
  });
});

describe("what a graph keeps", () => {
  test("newer operators keep their form, and the graph its opset", () => {
    const text =
      "graph a opset 23\ninput x: float32[2,4]\nconst s: float32[4] = ones\ny = RMSNormalization(x, s)\nreturn y";
    const graph = normalise(parse(text));
    expect(graph.opsets.get("")).toBe(23);
    expect(operators(graph)).toBe("RMSNormalization");
  });

  test("every value gets a type, and unused constants go", () => {
    const graph = normalise(
      parse("graph a opset 9\ninput x: float32[2,3]\nconst u: float32[2] = ones\na = Relu(x)\ny = Neg(a)\nreturn y"),
    );
    expect(graph.constants.size).toBe(0);
    expect(graph.types.get("a")).toEqual({ dtype: "float32", shape: [2, 3] });
  });

  test("a second time changes nothing", () => {
    const once = normalise(
      parse("graph a opset 11\ninput x: float32[2,3,4]\na = Softmax(x)\ny = Clip(a) min=0.1\nreturn y"),
    );
    expect(print(normalise(once))).toBe(print(once));
  });

  test("per-position BatchNormalization is refused with its node", () => {
    const text =
      "graph a opset 7\ninput x: float32[2,3]\nconst c: float32[3] = ones\ny = BatchNormalization(x, c, c, c, c) spatial=0  # origin: bn\nreturn y";
    expect(() => normalise(parse(text))).toThrow(CompileError);
  });
});

describe("quantization leaves the graph for its types", () => {
  const parameters = "const s: float32[] = 0.5\nconst z: int8[] = 3\n";
  const roundTrip = async (text: string): Promise<Graph> => {
    const raw = parse(text);
    const graph = normalise(raw);
    const feeds = randomFeeds(raw);
    const before = await runtime(raw, feeds);
    const after = await runtime(graph, feeds);
    for (const [name, tensor] of before) {
      expect(Buffer.compare(bytesOf(after.get(name) as Tensor), bytesOf(tensor)), name).toBe(0);
    }
    // What was written is read as the same again.
    expect(print(normalise(graph))).toBe(print(graph));
    return graph;
  };

  test("a pair between two nodes", async () => {
    const graph = await roundTrip(
      `input x: float32[2,3]\n${parameters}a = Relu(x)\nq = QuantizeLinear(a, s, z)\nd = DequantizeLinear(q, s, z)\ny = Neg(d)\nreturn y`,
    );
    expect(operators(graph)).toBe("Relu Neg");
    expect(graph.types.get("d")).toMatchObject({
      dtype: "int8",
      shape: [2, 3],
      quant: { scale: Float32Array.of(0.5), zeroPoint: Int32Array.of(3) },
    });
    expect(graph.constants.size).toBe(0);
  });

  test("an input, and several readers with pairs of their own", async () => {
    const graph = await roundTrip(
      `input x: float32[2,3]\n${parameters}q = QuantizeLinear(x, s, z)\nd = DequantizeLinear(q, s, z)\ne = DequantizeLinear(q, s, z)\na = Neg(d)\nb = Relu(e)\nreturn a, b`,
    );
    expect(operators(graph)).toBe("Neg Relu");
    expect(graph.types.get("x")?.quant).toBeDefined();
  });

  test("a value that is also read unquantized keeps both", async () => {
    const graph = await roundTrip(
      `input x: float32[2,3]\n${parameters}a = Relu(x)\nq = QuantizeLinear(a, s, z)\nd = DequantizeLinear(q, s, z)\ny = Sub(a, d)\nreturn y`,
    );
    expect(operators(graph)).toBe("Relu Identity Sub");
    expect(graph.types.get("a")?.quant).toBeUndefined();
    expect(graph.types.get("d")?.quant).toBeDefined();
  });

  test("an output", async () => {
    const graph = await roundTrip(
      `input x: float32[2,3]\n${parameters}a = Relu(x)\nq = QuantizeLinear(a, s, z)\ny = DequantizeLinear(q, s, z)\nreturn y`,
    );
    expect(graph.types.get("y")?.quant).toBeDefined();
  });

  test("weights per tensor, per channel, in blocks, and bias", async () => {
    const graph = await roundTrip(
      "input x: float32[2,4]\nconst w: int8[4,3] = random(1)\nconst ws: float32[3] = [0.1, 0.2, 0.3]\nconst wz: int8[3] = [0, 1, -1]\n" +
        "const v: int4[4,3] = random(2)\nconst vs: float32[2,3] = random(3, 0.1, 1)\nconst vz: int4[2,3] = zeros\n" +
        "const b: int32[3] = [1, 2, 3]\nconst bs: float32[] = 0.01\n" +
        "dw = DequantizeLinear(w, ws, wz) axis=-1\ndv = DequantizeLinear(v, vs, vz) axis=0 block_size=2\ndb = DequantizeLinear(b, bs)\n" +
        "a = MatMul(x, dw)\nc = MatMul(x, dv)\nd = Add(a, c)\ny = Add(d, db)\nreturn y",
    );
    expect(operators(graph)).toBe("MatMul MatMul Add Add");
    expect(graph.constants.get("dw")).toMatchObject({
      dtype: "int8",
      quant: { axis: 1, zeroPoint: Int32Array.of(0, 1, -1) },
    });
    expect(graph.constants.get("dv")).toMatchObject({ dtype: "int4", quant: { axis: 0, block: 2 } });
    expect(graph.constants.get("db")).toMatchObject({ dtype: "int32", quant: { scale: Float32Array.of(0.01) } });
  });

  test("float weights that are quantized in the graph become codes", async () => {
    const graph = await roundTrip(
      `input x: float32[2,4]\nconst w: float32[4,3] = random(1, -9, 9)\n${parameters}q = QuantizeLinear(w, s, z)\nd = DequantizeLinear(q, s, z)\ny = MatMul(x, d)\nreturn y`,
    );
    expect(graph.constants.get("d")).toMatchObject({ dtype: "int8" });
  });

  test.each([
    [
      "other scales on the way back",
      `input x: float32[2]\n${parameters}const t: float32[] = 0.25\nq = QuantizeLinear(x, s, z)\ny = DequantizeLinear(q, t, z)\nreturn y`,
    ],
    [
      "codes that something else reads",
      `input x: float32[2]\n${parameters}q = QuantizeLinear(x, s, z)\ny = DequantizeLinear(q, s, z)\nc = Cast(q) to=6\nreturn y, c`,
    ],
    [
      "a scale that is computed",
      "input x: float32[2]\ninput s: float32[]\nconst z: int8[] = 3\nq = QuantizeLinear(x, s, z)\ny = DequantizeLinear(q, s, z)\nreturn y",
    ],
    [
      "codes that are an output",
      `input x: float32[2]\n${parameters}q = QuantizeLinear(x, s, z)\ny = DequantizeLinear(q, s, z)\nreturn y, q`,
    ],
  ])("%s: the pair stays", (_, text) => {
    expect(operators(normalise(parse(text)))).toContain("QuantizeLinear DequantizeLinear");
  });
});
