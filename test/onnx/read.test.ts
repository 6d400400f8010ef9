import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/ir/graph.ts";
import { isLazy, numbersOf, valuesOf } from "../../src/ir/tensor.ts";
import { encode } from "../../src/onnx/encode.ts";
import { decodeModel, readModel } from "../../src/onnx/read.ts";
import type { FunctionProto, ModelProto } from "../../src/onnx/schema.ts";
import { encodeModel, writeModel } from "../../src/onnx/write.ts";
import { createSession } from "../../src/run/ort.ts";
import { bytes, float, model, node, temporaryFolder, value } from "./models.ts";

const feeds = new Map<string, Tensor>([
  ["x", { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, -4, -5, -6) }],
]);

async function outputOf(file: Uint8Array | string, name = "y"): Promise<number[]> {
  const session = await createSession(file);
  const outputs = await session.run(feeds);
  await session.release();
  return numbersOf(outputs.get(name) as Tensor);
}

describe("a graph as the file has it", () => {
  test("its own opset, names, inputs without initializers", () => {
    const graph = decodeModel(bytes({ input: [value("x", [2, "n"]), value("w", [3])] }));
    expect(graph.opsets).toEqual(new Map([["", 17]]));
    expect(graph.inputs).toEqual(["x"]);
    expect(graph.types.get("x")).toEqual({ dtype: "float32", shape: [2, "n"] });
    expect(graph.nodes.map((item) => item.origin)).toEqual([["n-s"], ["n-y"]]);
  });

  test("nodes in the wrong order are put right, and otherwise stay", () => {
    const nodes = [
      node("Relu", ["b"], ["y"]),
      node("Neg", ["x"], ["a"]),
      node("Abs", ["a"], ["b"]),
      node("Exp", ["x"], ["c"]),
    ];
    const graph = decodeModel(bytes({ node: nodes }));
    expect(graph.nodes.map((item) => item.op)).toEqual(["Neg", "Abs", "Relu", "Exp"]);
  });

  test("what only a branch reads counts too", () => {
    const branch = (name: string) => ({
      name,
      type: 5,
      g: { node: [node("Relu", ["late"], [name])], output: [value(name, [])] },
    });
    const nodes = [
      node("If", ["c"], ["y"], { attribute: [branch("then_branch"), branch("else_branch")] }),
      node("Neg", ["x"], ["late"]),
    ];
    const graph = decodeModel(bytes({ node: nodes, input: [value("x", [2]), value("c", [], 9)] }));
    expect(graph.nodes.map((item) => item.op)).toEqual(["Neg", "If"]);
  });
});

describe("functions become part of the graph", () => {
  const selu: FunctionProto = {
    name: "Scaled",
    domain: "local",
    input: ["a", "b"],
    output: ["c", "a2"],
    attribute: ["factor"],
    attributeProto: [{ name: "alpha", type: 1, f: 0.25 }],
    opsetImport: [{ version: 17 }],
    node: [
      node("Constant", [], ["k"], { attribute: [{ name: "value_float", type: 1, refAttrName: "factor" }] }),
      node("LeakyRelu", ["a"], ["t"], { attribute: [{ name: "alpha", type: 1, refAttrName: "alpha" }] }),
      node("Mul", ["t", "k"], ["s"]),
      node("Add", ["s", "b"], ["c"]),
      node("Identity", ["a"], ["a2"]),
    ],
  };
  const twice: FunctionProto = {
    name: "Twice",
    domain: "local",
    input: ["u"],
    output: ["v"],
    opsetImport: [{ version: 17 }, { domain: "local", version: 1 }],
    node: [
      node("Scaled", ["u", "u"], ["m", "m2"], { domain: "local", attribute: [{ name: "factor", type: 1, f: 2 }] }),
      node("Scaled", ["m", "u"], ["v", "v2"], {
        domain: "local",
        attribute: [
          { name: "factor", type: 1, f: 3 },
          { name: "alpha", type: 1, f: 0.5 },
        ],
      }),
    ],
  };
  const file = encode(
    "ModelProto",
    model(
      { node: [node("Twice", ["x"], ["t"], { domain: "local" }), node("Add", ["t", "w"], ["y"])] },
      { functions: [selu, twice], opsetImport: [{ version: 17 }, { domain: "local", version: 1 }], irVersion: 9 },
    ) satisfies ModelProto,
  );

  test("with attributes, defaults and calls inside calls: ONNX Runtime agrees", async () => {
    const graph = decodeModel(file);
    expect(graph.nodes.every((item) => item.domain === "")).toBe(true);
    expect(graph.nodes.length).toBe(11);
    expect(await outputOf(encodeModel(graph))).toEqual(await outputOf(file));
  });

  test("nodes tell the call they came from", () => {
    expect(decodeModel(file).nodes[0].origin).toEqual(["n-t/n-m/n-k"]);
  });

  test("an input that is handed through, and an output that nobody wants", async () => {
    const through: FunctionProto = {
      name: "F",
      domain: "local",
      input: ["a"],
      output: ["a", "b"],
      opsetImport: [{ version: 17 }],
      node: [node("Neg", ["a"], ["b"])],
    };
    const graph = decodeModel(
      bytes(
        { node: [node("F", ["x"], ["y", ""], { domain: "local" })] },
        { functions: [through], opsetImport: [{ version: 17 }, { domain: "local", version: 1 }] },
      ),
    );
    expect(await outputOf(encodeModel(graph))).toEqual([1, 2, 3, -4, -5, -6]);
  });
});

describe("weights that stay in their file", () => {
  const big = 16 * 2 ** 20;

  test("a large model is not in memory until something asks", () => {
    const path = join(temporaryFolder(), "model.onnx");
    const raw = new Uint8Array(big * 4);
    raw.set(new Uint8Array(Float32Array.of(7).buffer), raw.length - 4);
    writeFileSync(
      path,
      bytes({ initializer: [float("w", [3], [1, 2, 3]), { name: "large", dims: [big], dataType: 1, rawData: raw }] }),
    );
    expect(statSync(path).size).toBeGreaterThan(64e6);
    const before = process.memoryUsage().arrayBuffers;
    const graph = readModel(path);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4e6);
    const large = graph.constants.get("large") as Tensor;
    expect(isLazy(large.data)).toBe(true);
    expect(valuesOf(large)[big - 1]).toBe(7);
    expect(graph.constants.get("w")?.data).toEqual(Float32Array.of(1, 2, 3));
  });

  test("external data is written, read lazily, and written again over itself", async () => {
    const path = join(temporaryFolder(), "model.onnx");
    const values = Array.from({ length: 600 }, (_, index) => index);
    const file = bytes({
      node: [node("MatMul", ["x", "wide"], ["m"]), node("Add", ["m", "bias"], ["y"])],
      initializer: [float("wide", [3, 200], values), float("bias", [200], values.slice(0, 200))],
      output: [value("y", [2, 200])],
    });
    writeModel(decodeModel(file), path, { external: "always" });
    const graph = readModel(path);
    expect(isLazy(graph.constants.get("wide")?.data as Tensor["data"])).toBe(true);
    const once = readFileSync(path);
    writeModel(graph, path, { external: "always" });
    expect(Buffer.compare(readFileSync(path), once)).toBe(0);
    expect(await outputOf(path)).toEqual(await outputOf(file));
  });

  test("a folder that is not there is the user's mistake", () => {
    expect(() => writeModel(decodeModel(bytes()), "/no/such/folder/model.onnx")).toThrow(
      expect.objectContaining({ code: "usage/cannot-write" }),
    );
  });
});
