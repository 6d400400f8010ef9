import { describe, expect, it } from "vitest";
import { numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { withFreshWeights } from "../../src/train/fresh.ts";

const NETWORK = parse(`
  input x: float32[2, 300]
  const up: float32[300, 400] = random(1)
  const wide: float32[400] = random(2)
  const down: float32[400, 300] = random(3)
  const narrow: float32[300] = random(4)
  const across: float32[300, 300] = random(5)
  const scale: float32[300] = random(6)
  const shift: float32[300] = random(7)
  n = LayerNormalization(x, scale, shift)
  a = MatMul(n, across)
  r = Add(x, a)
  u = MatMul(r, up)
  b = Add(u, wide)
  g = Gelu(b)
  d = MatMul(g, down)
  e = Add(d, narrow)
  y = Add(r, e)
  z = MatMul(y, across)
  return z
`);
const NAMES = ["up", "wide", "down", "narrow", "across", "scale", "shift"];

describe("first weights", () => {
  const fresh = withFreshWeights(NETWORK, NAMES, 7);
  const numbers = (name: string): number[] => [...numbersOf(fresh.constants.get(name)!)].map(Number);
  const largest = (name: string): number => numbers(name).reduce((most, each) => Math.max(most, Math.abs(each)), 0);

  it("are as large as what follows asks for", () => {
    // Before a rectifier √(6/fan-in); added to a residual, of which there are two, √(3/fan-in/2).
    for (const [name, bound] of [
      ["up", Math.sqrt(6 / 300)],
      ["down", Math.sqrt(3 / 2 / 400)],
      ["across", Math.sqrt(3 / 2 / 300)],
    ] as const) {
      expect(largest(name)).toBeLessThanOrEqual(bound);
      expect(largest(name)).toBeGreaterThan(0.99 * bound);
    }
  });

  it("are 1 for scales and 0 for shifts", () => {
    expect(new Set(numbers("scale"))).toEqual(new Set([1]));
    for (const name of ["shift", "wide", "narrow"]) expect(largest(name)).toBe(0);
  });

  it("follow from the seed and the weight's name alone", () => {
    expect(withFreshWeights(NETWORK, ["down"], 7).constants.get("down")).toEqual(fresh.constants.get("down"));
    expect(withFreshWeights(NETWORK, ["down"], 8).constants.get("down")).not.toEqual(fresh.constants.get("down"));
  });
});
