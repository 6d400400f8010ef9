import { describe, expect, test } from "vitest";
import { type DType, elementCount, makeGraph, type Tensor } from "../../src/ir/graph.ts";
import { encode } from "../../src/ir/numbers.ts";
import { bytesOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { randomTensor } from "../harness/differential.ts";

function identity(dtype: DType): Uint8Array {
  const type = { dtype, shape: [2, 2] };
  return encodeModel(
    makeGraph({
      inputs: ["x"],
      outputs: ["y"],
      nodes: [{ op: "Identity", domain: "", inputs: ["x"], outputs: ["y"], attrs: new Map(), origin: ["n"] }],
      types: new Map([
        ["x", type],
        ["y", type],
      ]),
    }),
  );
}

describe("a session", () => {
  test.each<DType>([
    "float32",
    "float64",
    "float16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
  ])("passes %s there and back", async (dtype) => {
    const data = encode(dtype, dtype === "bool" ? [1, 0, 1, 1] : [1, 2, 3, 100]);
    const tensor: Tensor = { dtype, shape: [2, 2], data };
    const session = await createSession(identity(dtype));
    expect(session.inputs).toEqual([{ name: "x", dtype, shape: [2, 2] }]);
    const output = (await session.run(new Map([["x", tensor]]))).get("y") as Tensor;
    await session.release();
    expect(output.dtype).toBe(dtype);
    expect(Buffer.compare(bytesOf(output), bytesOf(tensor))).toBe(0);
    expect(elementCount(output.shape)).toBe(4);
  }); // prettier-ignore

  test("passes texts", async () => {
    const session = await createSession(identity("string"));
    const tensor: Tensor = { dtype: "string", shape: [2, 2], data: ["a", "ü", "", "d"] };
    expect((await session.run(new Map([["x", tensor]]))).get("y")?.data).toEqual(tensor.data);
    await session.release();
  });

  test("frees what outputs lie in, and nothing else", async () => {
    const count = 1 << 20;
    const graph = parse(`
      input x: float32[${count}]
      const s: int64[1] = [${count}]
      y = Identity(x)
      z = Reshape(x, s)
      return x, y, z
    `);
    const session = await createSession(encodeModel(graph));
    const x: Tensor = { dtype: "float32", shape: [count], data: new Float32Array(count).fill(0.5) };
    const into = new Map(["x", "y", "z"].map((name) => [name, new Float32Array(count)]));
    const before = process.memoryUsage().arrayBuffers;
    for (let turn = 0; turn < 8; turn++) {
      const outputs = await session.run(new Map([["x", x]]), undefined, into);
      for (const { data } of [x, ...outputs.values()]) expect((data as Float32Array).at(-1)).toBe(0.5);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * count);
    }
    const { y } = Object.fromEntries(await session.run(new Map([["x", x]])));
    expect(y).toEqual(x);
    await session.release();
  });

  test("gives only what is asked for", async () => {
    const graph = parse("input x: float32[2]\na: float32[2] = Neg(x)\nb: float32[2] = Abs(x)\nreturn a, b");
    const session = await createSession(encodeModel(graph));
    const feeds = new Map<string, Tensor>([["x", { dtype: "float32", shape: [2], data: Float32Array.of(-1, 2) }]]);
    const outputs = await session.run(feeds, ["b"]);
    await session.release();
    expect([...outputs]).toEqual([["b", { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) }]]);
  });

  test("computes quantized pairs as they are written", async () => {
    const graph = inferTypes(
      parse(
        "input x: float32[1,4]\nconst s: float32[] = 0.1\nconst z: int8[] = 3\nconst w: int8[4,4] = random(1)\n" +
          "q = QuantizeLinear(x, s, z)\nd = DequantizeLinear(q, s, z)\nv = DequantizeLinear(w, s)\n" +
          "m = MatMul(d, v)\np = QuantizeLinear(m, s, z)\ny = DequantizeLinear(p, s, z)\nreturn y",
      ),
    );
    const session = await createSession(encodeModel(graph));
    for (let seed = 1; seed <= 20; seed++) {
      const feeds = new Map([["x", randomTensor("float32", [1, 4], seed, -3, 3)]]);
      expect((await session.run(feeds)).get("y")).toEqual(interpret(graph, feeds).get("y"));
    }
    await session.release();
  });

  test.each([
    ["bytes that are no model", Uint8Array.of(1, 2, 3)],
    ["a file that is not there", "/no/such/model.onnx"],
  ])("%s: the runtime's own words", async (_, model) => {
    await expect(createSession(model)).rejects.toMatchObject({ code: "model/onnxruntime" });
  });

  test("a feed that is missing is told", async () => {
    const session = await createSession(identity("float32"));
    await expect(session.run(new Map())).rejects.toMatchObject({ code: "model/onnxruntime" });
    await session.release();
  });
});
