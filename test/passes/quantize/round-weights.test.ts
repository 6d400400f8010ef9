import { describe, expect, it } from "vitest";
import { dequantize, quantize } from "../../../src/ir/codes.ts";
import type { Graph, Quant, Tensor } from "../../../src/ir/graph.ts";
import { seededRandom } from "../../../src/ir/random.ts";
import { makeTensor } from "../../../src/ir/tensor.ts";
import type { PassSpec, Samples } from "../../../src/pass.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare } from "../../harness/pass.ts";

const GRAPH = `
  input x: float32[1,3,8,8]
  const w: float32[16,3,3,3] = random(1)
  const b: float32[16] = random(2)
  c = Conv(x, w, b) pads=[1,1,1,1]
  h = HardSwish(c)
  const d: float32[16,1,3,3] = random(3)
  e = Conv(h, d) group=16
  const w2: float32[4,16,1,1] = random(4)
  y = Conv(e, w2)
  return y
`;

/** Four patches of one brightness each, the channels nearly alike: as in pictures, what is seen in one place is seen beside it. */
function feedsOf(seed: number): Map<string, Tensor> {
  const random = seededRandom(seed);
  const patches = Array.from({ length: 4 }, () => 4 * random() - 2);
  const data = Float32Array.from({ length: 3 * 64 }, (_, at) => {
    const [row, column] = [Math.floor((at % 64) / 8), at % 8];
    return patches[2 * Math.floor(row / 4) + Math.floor(column / 4)] * (1 + Math.floor(at / 64) / 4) + 0.4 * random();
  });
  return new Map([["x", makeTensor("float32", [1, 3, 8, 8], data)]]);
}

const CALIBRATION: Samples = { size: 24, feeds: (index) => feedsOf(index + 1) };

async function run(graph: Graph, passes: readonly PassSpec[], jobs = 1): Promise<Graph> {
  return (await runPasses(graph, passes, { calibration: CALIBRATION, jobs })).graph;
}

/** Σ (y − y₀)² / Σ y₀² of the integer graph, on inputs that calibration did not see. */
function errorOf(graph: Graph, integer: Graph): number {
  let [error, size] = [0, 0];
  const [input, output] = [integer.types.get("x"), integer.types.get("y")];
  for (let seed = 60; seed < 72; seed++) {
    const feeds = feedsOf(seed);
    const want = (interpret(graph, feeds).get("y") as Tensor).data as Float32Array;
    const codes = quantize(feeds.get("x") as Tensor, input?.dtype ?? "int8", input?.quant as Quant);
    const made = interpret(integer, new Map([["x", codes]])).get("y") as Tensor;
    const got = dequantize({ ...made, quant: output?.quant }).data as Float32Array;
    want.forEach((value, index) => {
      error += (got[index] - value) ** 2;
      size += value * value;
    });
  }
  return error / size;
}

const WHOLE: readonly PassSpec[] = ["lower/integer", "quantize/correct-bias"];
const STAGES = { stages: 3, damping: 0.01 };

describe("quantize/round-weights", () => {
  it("makes the integers truer with 4-bit weights, and the int8 pass keeps what it rounded", async () => {
    const graph = prepare(GRAPH);
    const int4 = { pass: "quantize/int8", weights: "int4", block: 32 };
    const round = { pass: "quantize/round-weights", weights: "int4", block: 32, ...STAGES };
    const codes = await run(graph, [round]);
    const rounded = await run(graph, [round, int4]);
    for (const name of ["w", "d", "w2"]) {
      expect(codes.constants.get(name)?.dtype).toBe("int4");
      expect(rounded.constants.get(name)).toEqual(codes.constants.get(name));
    }
    const plain = await run(graph, [int4, ...WHOLE]);
    const integer = await run(graph, [round, int4, ...WHOLE]);
    expect(errorOf(graph, integer)).toBeLessThan(0.7 * errorOf(graph, plain));
  });

  it("keeps 8 bits where 4 cost most, as many weights as int8Share allows, but of named layers what their format says", async () => {
    const graph = prepare(GRAPH);
    const notes: unknown[] = [];
    const dtypes = async (options: Readonly<Record<string, unknown>>) => {
      const spec = { pass: "quantize/round-weights", weights: "int4", ...STAGES, ...options };
      const made = await runPasses(graph, [spec], { calibration: CALIBRATION });
      notes.push(...made.notes.values());
      return ["w", "d", "w2"].map((name) => made.graph.constants.get(name)?.dtype);
    };
    // 432, 144 and 64 weights.
    const some = await dtypes({ int8Share: 0.33 });
    expect(some).toEqual(["int4", "int8", "int8"]);
    expect(notes).toMatchObject([[{ error: expect.any(Number) }, { size: expect.any(Number) }]]);
    expect(await dtypes({ int8Share: 1 })).toEqual(["int8", "int8", "int8"]);
    expect(await dtypes({ int8Share: 1, formats: { "node-e": "W4A8" } })).toEqual(["int8", "int4", "int8"]);
    const float = "float32";
    expect(await dtypes({ int8Share: 0.33, method: "nearest" })).toEqual([float, "int8", "int8"]);
    expect(await dtypes({ int8Share: 0.33, weights: "int8" })).toEqual([float, float, float]);
  });

  it("rounds what the recipe says: 4 bits alone by default, everything with a method's name, nothing with nearest", async () => {
    const graph = prepare(GRAPH);
    const dtypes = async (options: Readonly<Record<string, unknown>>) => {
      const made = await run(graph, [{ pass: "quantize/round-weights", ...STAGES, ...options }]);
      return ["w", "d", "w2"].map((name) => made.constants.get(name)?.dtype);
    };
    const float = "float32";
    expect(await dtypes({})).toEqual([float, float, float]);
    expect(await dtypes({ method: "nearest", weights: "int4" })).toEqual([float, float, float]);
    expect(await dtypes({ formats: { "node-e": "W4A8" } })).toEqual([float, "int4", float]);
    expect(await dtypes({ method: "h-mse", formats: { "node-e": "W4A8" } })).toEqual(["int8", "int4", "int8"]);
    await expect(dtypes({ formats: { nobody: "W4A8" } })).rejects.toMatchObject({ code: "usage/unknown-value" });
    const bare = runPasses(graph, [{ pass: "quantize/round-weights", method: "gptq" }]);
    await expect(bare).rejects.toMatchObject({ code: "usage/no-calibration" });
  });
});
