import { expect, it } from "vitest";
import { runPasses } from "../../../src/passes.ts";
import { expectSameNumbers, prepare } from "../../harness/pass.ts";

it.each(["Tanh", "Relu"])("lower/rnn: %s", async (activation) => {
  const graph = prepare(`
    input x: float32[4,2,3]
    input h: float32[2,2,5]
    const w: float32[2,5,3] = random(1)
    const r: float32[2,5,5] = random(2)
    const b: float32[2,10] = random(3)
    const lengths: int32[2] = [4, 4]
    y, yh = RNN(x, w, r, b, lengths, h) hidden_size=5 direction="bidirectional" activations=["${activation}", "Tanh"]
    return y, yh
  `);
  const after = (await runPasses(graph, ["lower/rnn"])).graph;
  expect(after.nodes.map((node) => node.op)).not.toContain("RNN");
  expectSameNumbers(graph, after, 1e-5);
});

it("lower/rnn leaves what it cannot say alone", async () => {
  const graph = prepare(`
    input x: float32[129,1,3]
    const w: float32[1,5,3] = random(1)
    const r: float32[1,5,5] = random(2)
    y = RNN(x, w, r) hidden_size=5
    return y
  `);
  expect((await runPasses(graph, ["lower/rnn"])).graph).toBe(graph);
});

it.each([1, 2])("lower/rnn: the batch first, %s ways", async (ways) => {
  const graph = prepare(`
    input x: float32[2,4,3]
    input h: float32[2,${ways},5]
    const w: float32[${ways},5,3] = random(1)
    const r: float32[${ways},5,5] = random(2)
    y, yh = RNN(x, w, r, _, _, h) hidden_size=5 layout=1 direction="${ways === 2 ? "bidirectional" : "reverse"}"
    return y, yh
  `);
  const after = (await runPasses(graph, ["lower/rnn"])).graph;
  expect(after.nodes.map((node) => node.op)).not.toContain("RNN");
  expectSameNumbers(graph, after, 1e-5);
});
