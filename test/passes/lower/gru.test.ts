import { expect, it } from "vitest";
import { runPasses } from "../../../src/passes.ts";
import { expectSameNumbers, prepare } from "../../harness/pass.ts";

const directions = ["forward", "reverse", "bidirectional"] as const;
const cases = directions.flatMap((direction) =>
  [0, 1].flatMap((linear) => [true, false].map((state) => ({ direction, linear, state }))),
);

it.each(cases)("lower/gru: $direction, linear_before_reset=$linear, state: $state", async (each) => {
  const { direction, linear, state } = each;
  const ways = direction === "bidirectional" ? 2 : 1;
  const graph = prepare(`
    input x: float32[4,2,3]
    input h: float32[${ways},2,5]
    const w: float32[${ways},15,3] = random(1)
    const r: float32[${ways},15,5] = random(2)
    const b: float32[${ways},30] = random(3)
    y, yh = GRU(x, w, r, b, _, ${state ? "h" : "_"}) hidden_size=5 direction="${direction}" linear_before_reset=${linear}
    return y, yh
  `);
  const after = (await runPasses(graph, ["lower/gru"])).graph;
  expect(after.nodes.map((node) => node.op)).not.toContain("GRU");
  expect((await runPasses(after, ["lower/gru"])).graph).toBe(after);
  expectSameNumbers(graph, after, 1e-5);
});

it("lower/gru leaves sequences of different lengths alone", async () => {
  const graph = prepare(`
    input x: float32[4,2,3]
    const w: float32[1,15,3] = random(1)
    const r: float32[1,15,5] = random(2)
    const lengths: int32[2] = [4, 3]
    y = GRU(x, w, r, _, lengths) hidden_size=5
    return y
  `);
  expect((await runPasses(graph, ["lower/gru"])).graph).toBe(graph);
});
