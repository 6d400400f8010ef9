import { expect, test } from "vitest";
import { CompileError } from "../../src/error.ts";
import { makeGraph } from "../../src/ir/graph.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { createPool } from "../../src/run/pool.ts";
import { runModel } from "../../src/run/session-worker.ts";

const module = new URL("./pool-worker.ts", import.meta.url);

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

test.each([1, 2, 3])("with %i workers the results come in the items' order", async (jobs) => {
  const items = Array.from({ length: 20 }, (_, index) => index);
  expect(await collect(createPool(jobs).map<number, number, number>(module, 3, items))).toEqual(
    items.map((item) => item * 3),
  );
});

test("items are taken only as they are needed", async () => {
  let taken = 0;
  function* endless() {
    for (;;) yield taken++;
  }
  for await (const value of createPool(2).map<number, number, number>(module, 1, endless())) if (value === 5) break;
  expect(taken).toBeLessThan(12);
});

test("a user's error stays one, with its place and remedy", async () => {
  const error: unknown = await collect(createPool(2).map(module, 1, [1, 2, -1, 3])).catch((reason) => reason);
  expect(error).toBeInstanceOf(CompileError);
  expect(error).toMatchObject({ code: "usage/negative", where: "item", remedy: "none" });
});

test("any other error is a bug and ends the work", async () => {
  await expect(collect(createPool(2).map(module, 1, [1, -2, 3]))).rejects.toThrow("bug: on purpose");
});

test("an aborted signal ends the work with its reason", async () => {
  const controller = new AbortController();
  const work = async () => {
    for await (const value of createPool(2).map<number, number, number>(module, 1, Array(50).keys(), controller)) {
      if (value === 3) controller.abort(new Error("enough"));
    }
  };
  await expect(work()).rejects.toThrow("enough");
});

test("a model runs over samples in workers", async () => {
  const graph = makeGraph({
    inputs: ["x"],
    outputs: ["y"],
    nodes: [{ op: "Neg", domain: "", inputs: ["x"], outputs: ["y"], attrs: new Map(), origin: ["n"] }],
    types: new Map([
      ["x", { dtype: "float32", shape: [2] }],
      ["y", { dtype: "float32", shape: [2] }],
    ]),
  });
  const samples = [1, 2, 3].map((value) => new Map([["x", float32([2], [value, -value])]]));
  const results = await collect(runModel(createPool(2), { model: encodeModel(graph) }, samples));
  expect(results.map((outputs) => numbersOf(outputs.get("y") ?? float32([0], [])))).toEqual([
    [-1, 1],
    [-2, 2],
    [-3, 3],
  ]);
});

test("workers that never get an item set nothing up, and end quietly", async () => {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const counting = new URL("./counting-worker.ts", import.meta.url);
  for (let round = 1; round <= 3; round++) {
    expect(await collect(createPool(4).map<Int32Array, number, number>(counting, counter, [7]))).toEqual([7]);
    expect(counter[0]).toBe(round);
  }
});
