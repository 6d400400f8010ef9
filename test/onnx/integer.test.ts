import { describe, expect, test } from "vitest";
import { dequantize } from "../../src/ir/codes.ts";
import { attrs, makeGraph, type Tensor, type Type } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { makeTensor, numbersOf } from "../../src/ir/tensor.ts";
import { EXPORTED_OPERATORS, exportIntegerOnnx } from "../../src/onnx/integer.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { drawFrom } from "../emulate/cases.ts";
import { GENERATORS } from "../emulate/generators.ts";

const LEVELS = ["disabled", "all"] as const;

describe("stock ONNX Runtime computes what the oracle computes", () => {
  test.each(EXPORTED_OPERATORS)("%s", async (op) => {
    for (let seed = 0; seed < 16; seed++) {
      const { graph, feeds } = GENERATORS[op](drawFrom(seededRandom(`${op} ${seed}`)));
      const expected = interpret(graph, feeds).get("y") as Tensor;
      const model = encodeModel(exportIntegerOnnx(graph));
      for (const optimization of LEVELS) {
        const context = `seed ${seed}, ${optimization}: ${JSON.stringify([...graph.nodes[0].attrs])}`;
        const session = await createSession(model, { optimization }).catch((error: Error) => {
          throw new Error(`${context}: ${error.message}`);
        });
        const actual = (await session.run(feeds)).get("y") as Tensor;
        await session.release();
        expect(actual.dtype, context).toBe(expected.dtype);
        expect(actual.shape, context).toEqual(expected.shape);
        expect(numbersOf(actual), context).toEqual(numbersOf(expected));
      }
    }
  });
});

describe("a whole graph", () => {
  const quant = { scale: Float32Array.of(0.3), zeroPoint: Int32Array.of(-7) };
  const codes: Type = { dtype: "int8", shape: [6], quant };
  const npu = (op: string, inputs: string[], output: string, attributes: Parameters<typeof attrs>[0] = {}) => ({
    op,
    domain: "npu",
    inputs,
    outputs: [output],
    attrs: attrs(attributes),
    origin: [`${op} of the teacher`],
  });
  const graph = makeGraph({
    inputs: ["x"],
    outputs: ["y", "twice"],
    nodes: [
      npu("Add", ["x", "c", "m", "s"], "twice", { a_zero: { i: -7 }, b_zero: { i: 3 }, y_zero: { i: -7 } }),
      { op: "Sin", domain: "", inputs: ["twice"], outputs: ["sine"], attrs: attrs({}), origin: [] },
      npu("Mul", ["sine", "x", "m", "s"], "y", { a_zero: { i: -7 }, b_zero: { i: -7 }, y_zero: { i: -7 } }),
    ],
    constants: new Map([
      ["c", makeTensor("int8", [6], Int8Array.of(1, 2, 3, 4, 5, 6), quant)],
      ["m", makeTensor("int32", [1], Int32Array.of(2 ** 30))],
      ["s", makeTensor("int32", [1], Int32Array.of(31))],
    ]),
    types: new Map<string, Type>([
      ["x", codes],
      ["twice", codes],
      ["sine", codes],
      ["y", codes],
    ]),
  });
  const real = makeTensor("float32", [6], Float32Array.of(0.45, -0.45, 12.3, 1e9, -1e9, 0.15));

  async function run(model: Uint8Array, x: Tensor): Promise<Map<string, Tensor>> {
    const session = await createSession(model);
    const results = await session.run(new Map([["x", x]]));
    await session.release();
    return results;
  }

  test("takes and gives codes, and says in the metadata what they mean", async () => {
    const x = makeTensor("int8", [6], Int8Array.of(-128, -7, 0, 5, 126, 127));
    const exported = exportIntegerOnnx(graph);
    const expected = interpret(graph, new Map([["x", x]]));
    const actual = await run(encodeModel(exported), x);
    for (const name of ["y", "twice"]) {
      expect(numbersOf(actual.get(name) as Tensor)).toEqual(numbersOf(expected.get(name) as Tensor));
    }
    expect(JSON.parse(exported.metadata.get("quantization:x") ?? "")).toEqual({
      scale: [Math.fround(0.3)],
      zeroPoint: [-7],
    });
    expect(exported.nodes.find(({ op }) => op === "BitShift")?.origin).toEqual(["Add of the teacher"]);
  });

  test("takes and gives real numbers on request, rounded as the host rounds them", async () => {
    const expected = interpret(graph, new Map([["x", real]]));
    const actual = await run(encodeModel(exportIntegerOnnx(graph, { border: "float" })), real);
    for (const name of ["y", "twice"]) {
      expect(numbersOf(actual.get(name) as Tensor)).toEqual(numbersOf(dequantize(expected.get(name) as Tensor)));
    }
  });

  test("holds nothing but standard operators", () => {
    const exported = exportIntegerOnnx(graph);
    expect(new Set(exported.nodes.map(({ domain }) => domain))).toEqual(new Set([""]));
    expect([...exported.opsets]).toEqual([["", 21]]);
  });
});
