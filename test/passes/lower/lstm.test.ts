import { expect, it } from "vitest";
import type { Tensor } from "../../../src/ir/graph.ts";
import { float32 } from "../../../src/ir/tensor.ts";
import { randomValues } from "../../../src/ir/text/values.ts";
import { parse } from "../../../src/ir/text.ts";
import { inferTypes } from "../../../src/ops/infer.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";

const cases = [
  { name: "one step with states", steps: 1, direction: "forward", states: true },
  { name: "three steps", steps: 3, direction: "forward", states: false },
  { name: "backwards", steps: 3, direction: "reverse", states: true },
  { name: "both ways", steps: 4, direction: "bidirectional", states: true },
];

it.each(cases)("lower/lstm: $name", async ({ steps, direction, states }) => {
  const ways = direction === "bidirectional" ? 2 : 1;
  const graph = inferTypes(
    parse(`
      input x: float32[${steps},2,3]
      input h: float32[${ways},2,5]
      input c: float32[${ways},2,5]
      const w: float32[${ways},20,3] = random(1)
      const r: float32[${ways},20,5] = random(2)
      const b: float32[${ways},40] = random(3)
      y, yh, yc = LSTM(x, w, r, b, _, ${states ? "h, c" : "_, _"}) hidden_size=5 direction="${direction}"
      return y, yh, yc
    `),
  );
  const after = (await runPasses(graph, ["lower/lstm"])).graph;
  expect(after.nodes.some((node) => node.op === "LSTM")).toBe(false);
  expect((await runPasses(after, ["lower/lstm"])).graph).toBe(after);
  const feed = (shape: number[], seed: number): Tensor =>
    float32(
      shape,
      randomValues(
        "float32",
        shape.reduce((a, b) => a * b),
        seed,
      ),
    );
  const feeds = new Map([
    ["x", feed([steps, 2, 3], 4)],
    ["h", feed([ways, 2, 5], 5)],
    ["c", feed([ways, 2, 5], 6)],
  ]);
  const [want, got] = [interpret(graph, feeds), interpret(after, feeds)];
  for (const name of graph.outputs) {
    const [a, b] = [want.get(name) as Tensor, got.get(name) as Tensor];
    expect(b.shape).toEqual(a.shape);
    const values = a.data as Float32Array;
    (b.data as Float32Array).forEach((value, index) => {
      expect(Math.abs(value - values[index])).toBeLessThan(1e-5);
    });
  }
});
