import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bindings, bindInputs, type InputBinding, importOnnx } from "../../src/onnx/import.ts";
import { decodeModel } from "../../src/onnx/read.ts";
import { bytes, node, temporaryFolder, value } from "./models.ts";

const file = bytes({
  node: [node("Add", ["x", "h"], ["n"]), node("Mul", ["n", "k"], ["y"])],
  initializer: [],
  input: [value("x", ["batch", 3]), value("h", ["batch", 3]), value("k", [], 1)],
  output: [value("y", ["batch", 3]), value("n", ["batch", 3])],
});

function bind(inputs: Record<string, InputBinding>, dims: Record<string, number> = {}) {
  const bindings: Bindings = { inputs: new Map(Object.entries(inputs)), dims: new Map(Object.entries(dims)) };
  return bindInputs(decodeModel(file), bindings);
}

describe("bindings", () => {
  test("shapes bind symbols everywhere, values become constants, outputs feed inputs", () => {
    const path = join(temporaryFolder(), "model.onnx");
    writeFileSync(path, file);
    const graph = importOnnx(path, {
      inputs: new Map<string, InputBinding>([
        ["x", { shape: [2, 3] }],
        ["h", { from: "n", init: 0.5 }],
        ["k", { value: 2 }],
      ]),
    });
    expect(graph.inputs).toEqual(["x", "h"]);
    expect(graph.types.get("y")).toEqual({ dtype: "float32", shape: [2, 3] });
    expect(graph.constants.get("k")).toEqual({ dtype: "float32", shape: [], data: Float32Array.of(2) });
    expect(graph.states).toEqual([
      { input: "h", output: "n", init: { dtype: "float32", shape: [2, 3], data: new Float32Array(6).fill(0.5) } },
    ]);
  });

  test("named dimensions bind too", () => {
    const graph = bind({ k: { value: 1 } }, { batch: 4 });
    expect(graph.types.get("x")?.shape).toEqual([4, 3]);
    expect(graph.types.get("h")?.shape).toEqual([4, 3]);
  });

  test("nested lists are tensors", () => {
    const graph = bind({ x: { value: [[1, 2, 3]], shape: [1, 3] } }, { batch: 1 });
    expect(graph.constants.get("x")).toEqual({ dtype: "float32", shape: [1, 3], data: Float32Array.of(1, 2, 3) });
  });

  test.each<[string, Record<string, InputBinding>, string, string]>([
    ["an input that the model does not have", { q: { shape: [1] } }, "usage/unknown-input", "inputs.q"],
    ["a rank that is not the model's", { x: { shape: [2] } }, "usage/bad-binding", "inputs.x.shape"],
    ["a size that is not the model's", { x: { shape: [2, 4] } }, "usage/bad-binding", "inputs.x.shape"],
    ["two sizes of one symbol", { x: { shape: [2, 3] }, h: { shape: [1, 3] } }, "usage/bad-binding", "inputs.h.shape"],
    ["a negative size", { x: { shape: [-1, 3] } }, "usage/bad-binding", "inputs.x.shape"],
    ["a dimension that stays free", { k: { value: 1 } }, "usage/unbound-dimension", "inputs.x"],
    [
      "an output that the model does not have",
      { x: { shape: [2, 3] }, h: { from: "q", init: 0 } },
      "usage/bad-binding",
      "inputs.h.from",
    ],
    ["too few values", { x: { shape: [2, 3], value: [1, 2] } }, "usage/bad-binding", "inputs.x"],
    ["ragged lists", { x: { shape: [2, 3], value: [[1], [1, 2]] } }, "usage/bad-binding", "inputs.x"],
    ["a text for a number", { x: { shape: [2, 3] }, k: { value: "two" } }, "usage/bad-binding", "inputs.k"],
    [
      "a tensor of another type",
      { x: { shape: [2, 3] }, k: { value: { dtype: "int8", shape: [], data: Int8Array.of(1) } } },
      "usage/bad-binding",
      "inputs.k",
    ],
  ])("%s", (_, inputs, code, where) => {
    expect(() => bind(inputs)).toThrow(expect.objectContaining({ code, where }));
  });
});
