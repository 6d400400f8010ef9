import { expect, it } from "vitest";
import { hashText, seededRandom } from "../../src/ir/random.ts";

it("gives the same numbers for the same seed, in [0, 1)", () => {
  const draw = (seed: number | string) => {
    const next = seededRandom(seed);
    return Array.from({ length: 1000 }, next);
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw("a")).not.toEqual(draw("b"));
  expect(draw(7).slice(0, 2)).toEqual([0.011704753153026104, 0.06195825757458806]);
  const mean = draw(1).reduce((sum, value) => sum + value, 0) / 1000;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
  for (const value of draw(2)) expect(value >= 0 && value < 1).toBe(true);
});

it("hashes as FNV-1a does", () => {
  expect(hashText("")).toBe(0x811c9dc5);
  expect(hashText("a")).toBe(0xe40c292c);
});
