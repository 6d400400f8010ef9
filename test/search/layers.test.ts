import { describe, expect, test } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { itemsOf, planOf } from "../../src/search/items.ts";
import { formatsOf, searchSpace } from "../../src/search/layers.ts";

const parsed = parse(`
  input x: float32[1,4]
  const shape: int64[2] = [1, 4]
  const wq: float32[4,4] = iota
  const wk: float32[4,4] = iota
  h = Relu(x)
  flat = Reshape(h, shape)
  q = Gemm(h, wq)      # origin: /q/Gemm, /shared
  k = Gemm(flat, wk)   # origin: /shared, /k/Gemm
  both = Add(q, k)
  y: float32[1,4] = Gemm(q, wq)   # origin: /y/Gemm
  return both, y
`);
const graph = inferTypes(parsed);
describe("what a search decides", () => {
  const space = searchSpace(graph);

  test("weights are one layer, whoever reads them, and go by names of their own", () => {
    expect(space.layers).toMatchObject([
      { name: "/q/Gemm", keys: ["/q/Gemm", "/y/Gemm"], weights: "wq", parameters: 16 },
      { name: "/k/Gemm", keys: ["/k/Gemm"], weights: "wk" },
    ]);
  });

  test("values that are only moved, or that one layer reads, are stored in one way", () => {
    expect(space.groups).toHaveLength(1);
    expect(space.groups[0]).toMatchObject({ layers: [0, 1] });
    expect(space.groups[0].roots).toEqual(expect.arrayContaining(["q"]));
  });

  test("of products of two values, and of transposed convolutions in groups, the bits of what they read", () => {
    const attention = inferTypes(
      parse(`
        input x: float32[1,4,4]
        input z: float32[1,4,8]
        const w: float32[4,4] = iota
        const d: float32[4,1,2] = iota
        q = MatMul(x, w)        # origin: /q/MatMul
        k = Transpose(x) perm=[0,2,1]
        s = MatMul(q, k)        # origin: /scores/MatMul
        p = Softmax(s) axis=2
        m = MatMul(p, x)        # origin: /mixed/MatMul
        t = ConvTranspose(z, d) group=4  # origin: /up/ConvTranspose
        return m, t
      `),
    );
    const { layers, groups } = searchSpace(attention);
    expect(layers.map(({ name, weights, parameters }) => [name, weights, parameters])).toEqual([
      ["/q/MatMul", "w", 16],
      ["/scores/MatMul", undefined, 0],
      ["/up/ConvTranspose", undefined, 0],
    ]);
    expect(groups.map(({ roots, layers: own }) => [roots.join(), own])).toEqual([
      ["x", [0]],
      ["q", [1]],
      ["z", [2]],
    ]);
  });

  test("formats of a group agree in their activations", () => {
    const trial = (distance: number) => ({ distance, changed: 0, drop: 0 });
    const cost = { cycles: 0, ms: 1, weightBytes: 100, dramBytes: 0 };
    const saved = { cycles: 0, bytes: -8 };
    const items = itemsOf(
      space,
      {
        weights: space.layers.map((_, at) => ({ int8: trial(0.1), int4: trial(1 + at) })),
        values: [{ int8: trial(0.5), int16: trial(0) }],
      },
      {
        uniform: { W8A8: cost, W8A16: cost, W4A8: cost, W4A16: cost },
        int4: space.layers.map(() => ({ int8: saved, int16: saved })),
        int16: [{ cycles: 10, bytes: 0 }],
      },
    );
    expect(items[0].map(({ formats }) => formats.join(" "))).toEqual([
      ...["W8A8 W8A8", "W4A8 W8A8", "W4A8 W4A8"],
      ...["W8A16 W8A16", "W4A16 W8A16", "W4A16 W4A16"],
    ]);
    expect(items[0][1].loss).toBeCloseTo(0.5 + 1 + 0.1);
    const plan = planOf(space, items, [1]);
    expect(formatsOf(space, plan)).toEqual({ "/q/Gemm": "W4A8", "/y/Gemm": "W4A8" });
  });
});
