import { describe, expect, it } from "vitest";
import { loadInteger } from "../../../src/emulate/integer.ts";
import type { AnyArray } from "../../../src/emulate/machine/memory.ts";
import { createMachine } from "../../../src/emulate/machine.ts";
import { confidenceOf } from "../../../src/ir/confidence.ts";
import type { Graph, Tensor } from "../../../src/ir/graph.ts";
import { seededRandom } from "../../../src/ir/random.ts";
import { decodeRecord, encodeRecord } from "../../../src/ir/record.ts";
import { makeTensor, numbersOf, valuesOf } from "../../../src/ir/tensor.ts";
import { exportIntegerOnnx } from "../../../src/onnx/integer.ts";
import { encodeModel } from "../../../src/onnx/write.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { createSession } from "../../../src/run/ort.ts";
import { encodeProgram } from "../../../src/schedule/encode.ts";
import { schedule } from "../../../src/schedule/schedule.ts";
import { loadTarget } from "../../../src/target/load.ts";
import { drawFrom } from "../../emulate/cases.ts";
import { prepare, testPass } from "../../harness/pass.ts";

const target = loadTarget("ai4");
const quant = { scale: Float32Array.of(0.5), zeroPoint: Int32Array.of(0) };

/** Codes in, the same codes out: what is asked about is what comes after. */
const identity = (type: string) => `
  input x: ${type}{scale=0.5, zero=0}
  y: ${type}{scale=0.5, zero=0} = npu.Reshape(x) shape=[${/\[(.*)\]/.exec(type)?.[1]}]
  return y
`;

async function withMargin(text: string, options: Readonly<Record<string, unknown>> = {}): Promise<Graph> {
  return (await runPasses(prepare(text), [{ pass: "lower/margin", ...options }])).graph;
}

/** By the definition, from a sorted copy of each row. */
function expected(codes: readonly number[], width: number, { over = "least", ctc = false }): number {
  const rows = Array.from({ length: codes.length / width }, (_, row) => codes.slice(row * width, (row + 1) * width));
  const margins = rows.map((row) => {
    const [top, second] = row.toSorted((a, b) => b - a);
    return { margin: Math.min(32767, top - second), blank: row.indexOf(top) === 0 };
  });
  const characters = ctc && over === "least" ? margins.filter(({ blank }) => !blank) : [];
  const counted = (characters.length > 0 ? characters : margins).map(({ margin }) => margin);
  return over === "least" ? Math.min(...counted) : counted.reduce((a, b) => a + b, 0) / counted.length;
}

/** One run of each witness; all must say the same. */
async function confidence(graph: Graph, codes: Tensor): Promise<number> {
  const said = confidenceOf(decodeRecord(encodeRecord(graph)));
  expect(said).toBeDefined();
  const output = said?.output ?? "";
  const feeds = new Map([["x", codes]]);
  const oracle = interpret(graph, feeds).get(output) as Tensor;
  expect(oracle).toMatchObject({ dtype: "int16", shape: [1] });
  const [value] = numbersOf(oracle);
  expect(numbersOf(loadInteger(graph).run(feeds).get(output) as Tensor)).toEqual([value]);
  const bytes = encodeProgram(schedule(graph, target).program);
  const ran = createMachine(bytes).run("main", new Map([["x", valuesOf(codes) as AnyArray]]));
  expect(Array.from(ran.get(output) as Int16Array)).toEqual([value]);
  const session = await createSession(encodeModel(exportIntegerOnnx(graph)), { optimization: "all" });
  const exported = (await session.run(feeds)).get(output) as Tensor;
  await session.release();
  expect(numbersOf(exported)).toEqual([value]);
  return value;
}

describe("all witnesses say the margin of the definition", () => {
  for (const shape of [[1, 10], [1, 7, 4], [5, 1, 3], [1, 3, 1, 2], [4]]) {
    for (const dtype of ["int8", "int16"] as const) {
      it(`${dtype}[${shape}]`, async () => {
        const draw = drawFrom(seededRandom(`margin ${dtype} ${shape}`));
        const size = shape.reduce((a, b) => a * b, 1);
        const most = dtype === "int8" ? 127 : 32767;
        for (const options of [{}, { ctc: true }, { over: "mean" }, { over: "mean", ctc: true }]) {
          const graph = await withMargin(identity(`${dtype}[${shape}]`), options);
          // Ties, and the ends of the range, where the difference of two codes no longer fits.
          for (const reach of [1, most]) {
            const list = Array.from({ length: size }, () => Math.max(-most - 1, draw.int(-reach - 1, reach)));
            if (reach === most) [list[0], list[1]] = [-most - 1, most];
            const array = dtype === "int8" ? Int8Array.from(list) : Int16Array.from(list);
            const value = await confidence(graph, makeTensor(dtype, shape, array, quant));
            const wanted = expected(list, shape.at(-1) ?? 1, options);
            if (options.over === "mean") expect(Math.abs(value - wanted)).toBeLessThanOrEqual(1 + wanted / 2 ** 14);
            else expect(value).toBe(wanted);
          }
        }
      });
    }
  }
});

it("steps that are all blank count, and no blank where there is a character", async () => {
  const graph = await withMargin(identity("int16[1,3,3]"), { ctc: true });
  const say = (...codes: number[]) => confidence(graph, makeTensor("int16", [1, 3, 3], Int16Array.from(codes), quant));
  expect(await say(9, 1, 0, 9, 2, 0, 9, 3, 0)).toBe(6);
  expect(await say(9, 8, 0, 1, 30000, 0, 2, 9, 0)).toBe(7);
  expect(await say(9, 8, 0, -32768, 32767, 0, 9, 3, 0)).toBe(32767);
  expect(await say(9, 8, 0, 0, 9, 9, 9, 3, 0)).toBe(0);
});

it("is read in the units of the output, and says whose margin it is", async () => {
  const graph = await withMargin(identity("int8[1,3]"));
  expect(graph.types.get("confidence")?.quant?.scale).toEqual(Float32Array.of(0.5));
  expect(confidenceOf(graph)).toEqual({ output: "confidence", of: "y", over: "least", ctc: false });
  expect(graph.nodes.at(-1)?.origin).toEqual(["node-y"]);
  expect((await runPasses(graph, ["lower/margin"])).graph).toBe(graph);
});

it("believes no note that the graph does not bear out", async () => {
  const note = (value: string) => ({ ...prepare(identity("int8[1,3]")), metadata: new Map([["lower/margin", value]]) });
  const claims = ["{", "null", '{"output":"y","of":"y","over":"least","ctc":false}', '{"output":"x","of":"y"}'];
  for (const claim of claims) {
    expect(confidenceOf(note(claim))).toBeUndefined();
    const { graph } = await runPasses(note(claim), [{ pass: "lower/margin", enabled: false }]);
    expect(graph.metadata.size).toBe(0);
  }
});

testPass(
  "lower/margin",
  [],
  [
    { name: "one class", graph: identity("int8[3,1]") },
    { name: "an output that is not there", graph: identity("int8[1,3]"), options: { output: "z" } },
    { name: "real numbers", graph: "input x: float32[1,3]\ny = Relu(x)\nreturn y" },
    {
      name: "a scale for each class",
      graph:
        "input x: int8[1,3]{scale=[1.0, 2.0, 3.0], zero=0, axis=1}\ny: int8[1,3]{scale=[1.0, 2.0, 3.0], zero=0, axis=1} = npu.Reshape(x) shape=[1,3]\nreturn y",
    },
    { name: "switched off", graph: identity("int8[1,3]"), options: { enabled: false } },
  ],
);
