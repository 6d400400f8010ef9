import { expect, it } from "vitest";
import { runPasses } from "../../../src/passes.ts";
import { int16Wishes } from "../../../src/quant/wishes.ts";
import { prepare } from "../../harness/pass.ts";

it("lower/wide-states: a cell that was written out, back to its products", async () => {
  const graph = prepare(`
    input x: float32[1,4]
    input h: float32[1,3]
    state next -> h = zeros
    const w: float32[4,3] = random(1)
    const r: float32[3,3] = random(2)
    e = Relu(x)
    own = Gemm(e, w)
    past = Gemm(h, r)
    sum = Add(own, past)
    t = Tanh(sum)
    next = Concat(t) axis=0
    y = Relu(next)
    return y
  `);
  const after = (await runPasses(graph, ["lower/wide-states"])).graph;
  expect(int16Wishes(after).sort()).toEqual(["next", "own", "past", "sum", "t"]);
  expect((await runPasses(after, ["lower/wide-states"])).graph).toBe(after);
});

it("lower/wide-states: not what the array reads, and nothing without states", async () => {
  const graph = prepare(`
    input x: float32[1,4]
    input h: float32[1,4]
    state next -> h = zeros
    const w: float32[4,4] = random(1)
    a = Add(x, h)
    y = Gemm(a, w)
    next = Relu(a)
    return y
  `);
  const after = (await runPasses(graph, ["lower/wide-states"])).graph;
  expect(int16Wishes(after)).toEqual(["next"]);
  const plain = { ...graph, states: [] };
  expect((await runPasses(plain, ["lower/wide-states"])).graph.metadata.size).toBe(0);
});
