import { describe, expect, it } from "vitest";
import type { DataArray } from "../../src/data/dataset.ts";
import type { Tensor } from "../../src/ir/graph.ts";
import { runPasses } from "../../src/passes.ts";
import { createSession } from "../../src/run/ort.ts";
import { decoder, SEQUENCES } from "./decoder.ts";

describe("caches", () => {
  it("have the range of their own rows, which have 16 bits until then, and 8 bits even where all else has 16", async () => {
    for (const activations of ["int8", "int16"]) {
      const passes = ["lower/mask", "lower/wide-states", { pass: "quantize/int8", activations }];
      const { types } = (await runPasses(decoder(), passes, { calibration: SEQUENCES })).graph;
      const [keys, rows] = [types.get("nextKeys"), types.get("key")];
      expect(keys?.dtype).toBe("int8");
      expect(keys?.quant).toEqual(types.get("keys")?.quant);
      expect(rows?.dtype).toBe("int16");
      expect(keys?.quant?.scale[0]).not.toBe(types.get("nextValues")?.quant?.scale[0]);
    }
  });

  it("of 4 bits have a symmetric grid of 15 steps", async () => {
    const passes = ["lower/mask", { pass: "quantize/int8", cache: "int4" }];
    const { types, metadata } = (await runPasses(decoder(), passes, { calibration: SEQUENCES })).graph;
    const { graph: eight } = await runPasses(decoder(), ["lower/mask", "quantize/int8"], { calibration: SEQUENCES });
    expect(JSON.parse(metadata.get("quantize/packed-caches") ?? "")).toEqual(["keys", "values"]);
    const [four, fine] = [types, eight.types].map((all) => all.get("nextKeys")?.quant);
    expect(Number(four?.zeroPoint[0])).toBe(0);
    const ratio = Number(four?.scale[0]) / Number(fine?.scale[0]);
    expect(ratio).toBeGreaterThan(6);
    expect(ratio).toBeLessThan(40);
  });
});

describe("the step of the character GPT", () => {
  const fixture = (name: string) => new URL(`../../fixtures/char-gpt/${name}.onnx`, import.meta.url).pathname;

  it("tells what the whole network tells", async () => {
    const [whole, step] = [await createSession(fixture("teacher")), await createSession(fixture("step"))];
    const letters = BigInt64Array.from({ length: 128 }, (_, at) => BigInt((at * 37 + 11) % 84));
    const int64 = (shape: readonly number[], data: BigInt64Array): Tensor => ({ dtype: "int64", shape, data });
    const wanted = (await whole.run(new Map([["tokens", int64([1, 128], letters)]]))).get("logits") as DataArray;
    const held = new Map<string, Tensor>();
    for (const { name, shape } of step.inputs.slice(2)) {
      const sizes = shape as readonly number[];
      held.set(name, { dtype: "float32", shape: sizes, data: new Float32Array(sizes.reduce((a, b) => a * b)) });
    }
    for (let place = 0; place < 12; place++) {
      const feeds = new Map([
        ["token", int64([1, 1], letters.slice(place, place + 1))],
        ["position", int64([1], BigInt64Array.of(BigInt(place)))],
        ...held,
      ]);
      const outputs = await step.run(feeds);
      const scores = (outputs.get("logits") as Tensor).data as Float32Array;
      scores.forEach((score, at) => {
        expect(score).toBeCloseTo(Number(wanted.data[place * 84 + at]), 3);
      });
      for (const name of held.keys()) {
        held.set(name, outputs.get(`next${name[0].toUpperCase()}${name.slice(1)}`) as Tensor);
      }
    }
    await Promise.all([whole.release(), step.release()]);
  });
});
