import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/ir/random.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { normalise } from "../../src/onnx/normalise.ts";
import { decodeModel, readModel } from "../../src/onnx/read.ts";
import type { FunctionProto, NodeProto, TensorProto } from "../../src/onnx/schema.ts";
import { bytes, float, node, refusal, temporaryFolder, value } from "./models.ts";

function noise(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

function tensor(changes: TensorProto): Uint8Array {
  return bytes({ initializer: [{ ...float("w", [3], [1, 2, 3]), ...changes }] });
}

/** A chain of messages nested as deep as the file says: attributes with graphs with nodes. */
function nested(depth: number): Uint8Array {
  let inner: NodeProto = node("Relu", ["s"], ["z"]);
  for (let level = 0; level < depth; level++) {
    inner = node("If", ["c"], ["z"], { attribute: [{ name: "then_branch", type: 5, g: { node: [inner] } }] });
  }
  return bytes({ node: [inner] });
}

function fromFunctions(functions: FunctionProto[], opType: string): Uint8Array {
  return bytes(
    { node: [node(opType, ["x"], ["y"], { domain: "local" })] },
    {
      functions,
      opsetImport: [{ version: 17 }, { domain: "local", version: 1 }],
    },
  );
}

function calls(name: string, ...called: string[]): FunctionProto {
  const body = called.map((inner, index) =>
    node(inner, [index === 0 ? "a" : `t${index}`], [index === called.length - 1 ? "b" : `t${index + 1}`], {
      domain: "local",
    }),
  );
  return { domain: "local", name, input: ["a"], output: ["b"], node: body, opsetImport: [{ version: 17 }] };
}

const good = bytes();
const huge = 2 ** 32;

describe("bytes that are no model", () => {
  test.each<[string, Uint8Array, string]>([
    ["no bytes", new Uint8Array(), "model/empty"],
    ["random bytes", noise(4096, 1), "model/malformed"],
    ["a model cut off in its last field", good.slice(0, -3), "model/malformed"],
    ["40 KB of groups", new Uint8Array(40_960).fill(0x1b), "model/malformed"],
    ["a group that never began", Uint8Array.of(0x1c), "model/malformed"],
    ["field number 0", Uint8Array.of(0x02, 0x00), "model/malformed"],
    ["wire type 7", Uint8Array.of(0x0f), "model/malformed"],
    ["a number of eleven bytes", new Uint8Array(11).fill(0xff), "model/malformed"],
    ["a field of 2^63 bytes", Uint8Array.of(0x3a, ...new Uint8Array(8).fill(0xff), 0x7f), "model/malformed"],
    ["a graph that is a number", Uint8Array.of(0x08, 0x08, 0x38, 0x01), "model/malformed"],
    ["messages 150 deep", nested(60), "model/malformed"],
    ["a name that is not UTF-8", Uint8Array.of(0x12, 0x02, 0xc3, 0x28), "model/malformed"],
    ["another protobuf", Uint8Array.of(0x12, 0x01, 0x41), "model/ir-version"],
    ["no graph", Uint8Array.of(0x08, 0x08, 0x42, 0x02, 0x10, 0x11), "model/no-graph"],
  ])("%s", (_, file, code) => {
    expect(refusal(() => decodeModel(file)).code).toBe(code);
  });

  test("a message that lies about its length is refused before anything is allocated", () => {
    const before = process.memoryUsage().rss;
    for (let index = 0; index < 200; index++)
      refusal(() => decodeModel(Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x07)));
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  test("five million empty nodes end at the budget and not in a full memory", () => {
    const graph = new Uint8Array(10_000_000);
    for (let at = 0; at < graph.length; at += 2) graph[at] = 0x0a;
    const file = Buffer.concat([Uint8Array.of(0x08, 0x08, 0x3a, 0x80, 0xad, 0xe2, 0x04), graph]);
    const start = performance.now();
    expect(refusal(() => decodeModel(file)).code).toBe("model/budget");
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test("a sparse file of more than 2 GiB, an empty one, a folder", () => {
    const folder = temporaryFolder();
    const path = join(folder, "model.onnx");
    closeSync(openSync(path, "w"));
    expect(refusal(() => readModel(path)).code).toBe("model/empty");
    truncateSync(path, 2 ** 31 + 10);
    const error = refusal(() => readModel(path));
    expect(error.code).toBe("model/too-large");
    expect(error.remedy).toContain("external data");
    expect(refusal(() => readModel(folder)).code).toBe("model/unsafe-file");
  });

  test("a file that is not there is the user's mistake", () => {
    expect(() => readModel("/no/such/model.onnx")).toThrow(expect.objectContaining({ code: "usage/no-such-file" }));
  });
});

describe("tensors", () => {
  test.each<[string, TensorProto, string]>([
    ["raw data too short", { rawData: new Uint8Array(11) }, "model/bad-tensor"],
    ["raw data too long", { rawData: new Uint8Array(16) }, "model/bad-tensor"],
    ["no data at all", { rawData: new Uint8Array() }, "model/bad-tensor"],
    ["a negative dimension", { dims: [-3] }, "model/bad-tensor"],
    ["2^32 x 2^32 x 4", { dims: [huge, huge, 4] }, "model/bad-tensor"],
    ["2^62", { dims: [2n ** 62n] }, "model/bad-tensor"],
    ["a zero that hides an overflow", { dims: [0, huge, huge, huge], rawData: new Uint8Array() }, "model/bad-tensor"],
    ["1000 dimensions", { dims: new Array<number>(1000).fill(1) }, "model/bad-tensor"],
    ["an unknown type", { dataType: 99 }, "model/unknown-dtype"],
    ["no type", { dataType: 0 }, "model/unknown-dtype"],
    [
      "int4 of an odd count, one byte short",
      { dataType: 22, dims: [5], rawData: new Uint8Array(2) },
      "model/bad-tensor",
    ],
    ["segments", { segment: Uint8Array.of(8, 0) }, "model/bad-tensor"],
    ["texts with a count that does not fit", { dataType: 8, stringData: [Buffer.from("a")] }, "model/bad-tensor"],
    ["too few floats", { rawData: new Uint8Array(), floatData: [new Uint8Array(8)] }, "model/bad-tensor"],
    [
      "a huge tensor of small numbers",
      { dataType: 7, dims: [2 ** 40], int64Data: [new Uint8Array(9)] },
      "model/bad-tensor",
    ],
    [
      "a number that is cut off",
      { dataType: 6, rawData: new Uint8Array(), int32Data: [Uint8Array.of(1, 2, 0x80)] },
      "model/bad-tensor",
    ],
  ])("%s", (_, changes, code) => {
    const error = refusal(() => decodeModel(tensor(changes)));
    expect(error.code).toBe(code);
    expect(error.where).toContain('"w"');
  });

  test("int4 of an odd count is no mistake", () => {
    const graph = decodeModel(tensor({ dataType: 22, dims: [5], rawData: new Uint8Array(3) }));
    expect(graph.constants.get("w")?.shape).toEqual([5]);
  });

  test("a sparse tensor may not grow beyond its budget", () => {
    const sparse = {
      values: float("w", [1], [1]),
      indices: { dims: [1], dataType: 7, rawData: new Uint8Array(8) },
      dims: [2 ** 20, 2 ** 20],
    };
    expect(refusal(() => decodeModel(bytes({ initializer: [], sparseInitializer: [sparse] }))).code).toBe(
      "model/bad-tensor",
    );
  });
});

describe("graphs", () => {
  const relu = (input: string, output: string) => node("Relu", [input], [output]);
  test.each<[string, Uint8Array, string]>([
    ["a cycle", bytes({ node: [relu("b", "a"), relu("a", "b"), relu("x", "y")] }), "model/cycle"],
    ["a node that reads itself", bytes({ node: [relu("y", "y")] }), "model/cycle"],
    ["an undefined input", bytes({ node: [relu("q", "y")] }), "model/undefined-input"],
    ["an undefined output", bytes({ output: [value("q", [1])] }), "model/undefined-output"],
    ["an output made twice", bytes({ node: [relu("x", "y"), relu("x", "y")] }), "model/duplicate-name"],
    ["an input that a node makes", bytes({ node: [relu("x", "x"), relu("x", "y")] }), "model/duplicate-name"],
    [
      "an initializer twice",
      bytes({ initializer: [float("w", [1], [1]), float("w", [1], [1])] }),
      "model/duplicate-name",
    ],
    ["an input twice", bytes({ input: [value("x", [2, 3]), value("x", [2, 3])] }), "model/duplicate-name"],
    ["an initializer without a name", bytes({ initializer: [float("", [1], [1])] }), "model/no-name"],
    ["an input without a type", bytes({ input: [{ name: "x" }] }), "model/untyped-input"],
    ["an input of an unknown type", bytes({ input: [value("x", [2], 77)] }), "model/unknown-dtype"],
    [
      "an input that is a map",
      bytes({ input: [{ name: "x", type: { mapType: { keyType: 7 } } }] }),
      "model/unsupported-type",
    ],
    ["no opset", bytes({}, { opsetImport: [] }), "model/opset"],
    ["opset 999", bytes({}, { opsetImport: [{ version: 999 }] }), "model/opset"],
    ["opset −1", bytes({}, { opsetImport: [{ version: -1 }] }), "model/opset"],
    ["IR version 99", bytes({}, { irVersion: 99 }), "model/ir-version"],
    ["a domain that is not imported", bytes({ node: [node("F", ["x"], ["y"], { domain: "d" })] }), "model/opset"],
    [
      "an attribute twice",
      bytes({
        node: [
          node("Relu", ["x"], ["y"], {
            attribute: [
              { name: "a", i: 1 },
              { name: "a", i: 1 },
            ],
          }),
        ],
      }),
      "model/duplicate-attribute",
    ],
    [
      "an attribute of no kind",
      bytes({ node: [node("Relu", ["x"], ["y"], { attribute: [{ name: "a", type: 88 }] })] }),
      "model/bad-attribute",
    ],
    [
      "a graph attribute without a graph",
      bytes({ node: [node("If", ["x"], ["y"], { attribute: [{ name: "a", type: 5 }] })] }),
      "model/bad-attribute",
    ],
    ["no operator", bytes({ node: [{ input: ["x"], output: ["y"] }] }), "model/no-operator"],
    ["a function that calls itself", fromFunctions([calls("F", "F")], "F"), "model/recursive-function"],
    [
      "functions that call each other",
      fromFunctions([calls("F", "G"), calls("G", "F")], "F"),
      "model/recursive-function",
    ],
    ["a function twice", fromFunctions([calls("F"), calls("F")], "F"), "model/duplicate-name"],
    [
      "a function for another opset",
      fromFunctions([{ ...calls("F"), opsetImport: [{ version: 9 }] }], "F"),
      "model/opset",
    ],
  ])("%s", (_, file, code) => {
    expect(refusal(() => decodeModel(file)).code).toBe(code);
  });

  test("functions that double thirty times end at the budget", () => {
    const functions = Array.from({ length: 30 }, (_, index) => calls(`F${index}`, `F${index + 1}`, `F${index + 1}`));
    functions.push({ ...calls("F30"), node: [node("Relu", ["a"], ["b"])] });
    const start = performance.now();
    expect(refusal(() => decodeModel(fromFunctions(functions, "F0"))).code).toBe("model/budget");
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  test("a chain of 100,000 nodes in the wrong order is put right without recursion", () => {
    const nodes = Array.from({ length: 100_000 }, (_, index) =>
      node("Relu", [index === 0 ? "x" : `v${index}`], [`v${index + 1}`]),
    );
    const graph = decodeModel(bytes({ node: nodes.reverse(), output: [value("v100000", [2, 3])] }));
    expect(graph.nodes[0].inputs).toEqual(["x"]);
    expect(graph.nodes.at(-1)?.outputs).toEqual(["v100000"]);
  });

  test.each<[string, NodeProto, TensorProto]>([
    ["stride 0", { attribute: [{ name: "strides", type: 7, ints: [0, 0] }] }, float("w", [1, 1, 1, 1], [1])],
    [
      "dilation 0",
      { attribute: [{ name: "dilations", type: 7, ints: [0, 0] }] },
      float("w", [1, 1, 2, 2], [1, 1, 1, 1]),
    ],
    ["a kernel of another rank", {}, float("w", [1, 1, 1], [1])],
    [
      "negative pads",
      { attribute: [{ name: "pads", type: 7, ints: [-9, -9, -9, -9] }] },
      float("w", [1, 1, 1, 1], [1]),
    ],
    ["group 0", { attribute: [{ name: "group", type: 2, i: 0 }] }, float("w", [1, 1, 1, 1], [1])],
  ])("Conv with %s", (_, rest, w) => {
    const file = bytes({
      node: [node("Conv", ["x", "w"], ["y"], rest)],
      initializer: [w],
      input: [value("x", [1, 1, 4, 4])],
      output: [value("y", ["a", "b", "c", "d"])],
    });
    const error = refusal(() => normalise(decodeModel(file)));
    expect(error.message).not.toBe("");
  });

  test("an operator that nobody knows is named with its node", () => {
    const file = bytes({ node: [node("NoSuchOp", ["x"], ["y"])] });
    const error = refusal(() => normalise(decodeModel(file)));
    expect(error.code).toBe("model/unknown-operator");
    expect(error.message).toContain("NoSuchOp");
    expect(error.where).toContain("n-y");
  });

  test.each(["__proto__", "constructor", "\u001b[31mred", "\u202eevil", "<script>alert(1)</script>", "a\nb"])(
    "the name %j is a name like any other",
    (name) => {
      const file = bytes(
        {
          node: [node(name, [name], ["y"], { domain: "d", attribute: [{ name, type: 2, i: 1 }] })],
          input: [value(name, [1])],
          initializer: [],
          output: [value("y", [1])],
        },
        { opsetImport: [{ domain: "d", version: 1 }], metadataProps: [{ key: name, value: name }] },
      );
      const graph = decodeModel(file);
      expect(graph.inputs).toEqual([name]);
      expect(graph.nodes[0].attrs.get(name)).toEqual({ i: 1 });
      expect(graph.metadata.get(name)).toBe(name);
      expect(refusal(() => normalise(graph)).code).toBe("model/unknown-operator");
    },
  );
});

describe("numbers that are none", () => {
  const matrix = (w: TensorProto) => {
    const path = join(temporaryFolder(), "model.onnx");
    writeFileSync(
      path,
      bytes({ node: [node("MatMul", ["x", "w"], ["y"])], initializer: [w], output: [value("y", [2, 1])] }),
    );
    return path;
  };

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("a weight of %d", (number) => {
    const error = refusal(() => importOnnx(matrix(float("w", [3, 1], [1, number, 2]))));
    expect(error.code).toBe("model/not-finite");
    expect(error.where).toContain('"w"');
  });

  test("a half-precision weight that is infinite", () => {
    const w: TensorProto = {
      name: "w",
      dims: [3, 1],
      dataType: 10,
      rawData: new Uint8Array(Uint16Array.of(0, 0x7c00, 1).buffer),
    };
    const path = join(temporaryFolder(), "model.onnx");
    writeFileSync(
      path,
      bytes({
        node: [node("MatMul", ["x", "w"], ["y"])],
        initializer: [w],
        input: [value("x", [2, 3], 10)],
        output: [value("y", [2, 1], 10)],
      }),
    );
    expect(refusal(() => importOnnx(path)).code).toBe("model/not-finite");
  });

  test.each([0, -0.5, 1e-40, Number.NaN, Number.POSITIVE_INFINITY])("a quantization scale of %d", (scale) => {
    const w: TensorProto = { name: "w", dims: [3, 1], dataType: 3, rawData: Uint8Array.of(1, 2, 3) };
    const file = bytes({
      node: [node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"], ["y"])],
      initializer: [w, float("s", [], [scale])],
      output: [value("y", [2, 1])],
    });
    expect(refusal(() => normalise(decodeModel(file))).code).toBe("model/bad-scale");
  });
});

test("a model that names an input twice in the recipe's way is the user's mistake and not the model's", () => {
  const path = join(temporaryFolder(), "model.onnx");
  writeFileSync(path, bytes());
  expect(() => importOnnx(path, { inputs: new Map([["q", {}]]) })).toThrow(
    expect.objectContaining({ code: "usage/unknown-input" }),
  );
});
