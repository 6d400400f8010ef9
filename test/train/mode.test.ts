import { describe, expect, it } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { parametersOf, trainingMode } from "../../src/train/mode.ts";

const NETWORK = parse(`
  input x: float32[2, 3]
  const w: float32[3, 3] = random(1)
  const b: float32[3] = [0, 0, 0]
  const s: float32[3] = [1, 1, 1]
  const m: float32[3] = [0, 0, 0]
  const v: float32[3] = [1, 1, 1]
  const half: float32[] = [0.5]
  const mask: float32[2, 3] = [0, -inf, 0, 0, -inf, 0]
  const zeros: float32[2, 3] = [0, 1, 0, 0, 1, 0]
  const places: float32[2, 3] = random(2)
  a = MatMul(x, w)
  c = Add(a, b)
  d = BatchNormalization(c, s, b, m, v) momentum=0.8
  e = Mul(d, half)
  f = Add(e, mask)
  g = Mul(f, zeros)
  y = Add(g, places)
  return y
`);

describe("what a training changes", () => {
  it("finds weights, and leaves factors and masks alone", () => {
    expect(parametersOf(NETWORK)).toEqual(["w", "b", "s", "places"]);
  });

  it("puts normalizations into training mode once", () => {
    const { graph, statistics } = trainingMode(NETWORK);
    expect(statistics).toEqual([
      { name: "m", next: "m/next" },
      { name: "v", next: "v/next" },
    ]);
    expect(graph.outputs).toEqual(["y", "m/next", "v/next"]);
    const attributes = graph.nodes[2].attrs;
    expect([attributes.get("training_mode"), attributes.get("momentum")]).toEqual([{ i: 1 }, { f: Math.fround(0.8) }]);
    const plain = parse("input x: float32[2]\ny = Neg(x)\nreturn y");
    expect(trainingMode(plain).graph).toBe(plain);
  });
});
