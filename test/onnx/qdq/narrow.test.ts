/** Activations of 4 bits in a file: 16 codes of int8 behind a clamp that says so. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { Graph } from "../../../src/ir/graph.ts";
import { importOnnx } from "../../../src/onnx/import.ts";
import { writeModel } from "../../../src/onnx/write.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

const folder = mkdtempSync(join(tmpdir(), "narrow-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function through(graph: Graph): Graph {
  const path = join(folder, "model.onnx");
  writeModel(graph, path);
  return importOnnx(path);
}

const stored = (graph: Graph): [string, string][] =>
  [...graph.types].flatMap(([name, { dtype, quant }]): [string, string][] => (quant ? [[name, dtype]] : []));
const ops = (graph: Graph): string => graph.nodes.map(({ op }) => op).join(" ");

it("comes back as it was, read once or twice, and at the model's border", () => {
  const graph = prepare(`
    input x: int4[1,2,4,4]{scale=0.3, zero=1}
    const w: float32[3,2,1,1] = random(1)
    a = Conv(x, w)
    r: int4[1,3,4,4]{scale=0.13, zero=-8} = Relu(a)
    m: int4[1,3,3,3]{scale=0.13, zero=-8} = MaxPool(r) kernel_shape=[2,2]
    y: int8[1,3,4,4]{scale=0.07, zero=-128} = Add(r, r)
    return y, m
  `);
  const back = through(graph);
  expect(ops(back)).toBe(ops(graph));
  expect(stored(back).sort()).toEqual(stored(graph).sort());
  const feeds = seededFeeds({ ...graph, types: back.types });
  expect(interpret(back, feeds)).toEqual(interpret(graph, feeds));
});

const clamped = (low: number, high: number, more = ""): Graph =>
  prepare(`
    input x: float32[6]
    const s: float32[] = 0.5
    const z: int8[] = -8
    const low: float32[] = ${low}
    const high: float32[] = ${high}
    a = Neg(x)
    c = Clip(a, low, high)
    q = QuantizeLinear(c, s, z)
    d = DequantizeLinear(q, s, z)
    y = Abs(d)
    return y${more}
  `);

it.each([
  ["to the 16 codes", clamped(0, 7.5), "Neg Abs", "int4"],
  ["to fewer codes", clamped(0, 7), "Neg Clip Abs", "int8"],
  ["to more", clamped(-1, 7.5), "Neg Clip Abs", "int8"],
  ["for others too", clamped(0, 7.5, ", c"), "Neg Clip Identity Abs", "int8"],
])("a clamp %s says what is stored, or stays", (_, graph, wanted, dtype) => {
  const back = through(graph);
  expect(ops(back)).toBe(wanted);
  expect(stored(back).map(([, own]) => own)).toEqual([dtype]);
});
