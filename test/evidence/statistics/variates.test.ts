import { expect, it } from "vitest";
import { splitMix } from "../../../src/data/random.ts";
import { binomial, chance, gamma, gaussian } from "../../../src/evidence/statistics/variates.ts";

const DRAWS = 20_000;

/** Mean and variance of so many draws. */
function moments(draw: () => number): { readonly mean: number; readonly variance: number } {
  const values = Array.from({ length: DRAWS }, draw);
  const mean = values.reduce((sum, value) => sum + value, 0) / DRAWS;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / DRAWS };
}

it.each([
  ["gaussian", (random: () => number) => gaussian(random), 0, 1],
  ["gamma of 0.3", (random: () => number) => gamma(random, 0.3), 0.3, 0.3],
  ["gamma of 7", (random: () => number) => gamma(random, 7), 7, 7],
  ["chance", (random: () => number) => chance(random, 0.2, 0.1), 0.2, 0.016],
  ["binomial by inversion", (random: () => number) => binomial(random, 20, 0.9), 18, 1.8],
  ["binomial as normal", (random: () => number) => binomial(random, 1000, 0.3), 300, 210],
] as const)("%s has its mean and variance", (_, draw, mean, variance) => {
  const random = splitMix(17);
  const found = moments(() => draw(random));
  expect(Math.abs(found.mean - mean)).toBeLessThan(5 * Math.sqrt(variance / DRAWS));
  expect(found.variance / variance).toBeGreaterThan(0.93);
  expect(found.variance / variance).toBeLessThan(1.07);
});
