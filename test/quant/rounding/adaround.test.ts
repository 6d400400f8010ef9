import { afterAll, describe, expect, it } from "vitest";
import { adaRound } from "../../../src/quant/rounding/adaround.ts";
import { openAlgebra } from "../../../src/quant/rounding/algebra.ts";
import { outputError } from "../../../src/quant/rounding/descent.ts";
import { type Grid, type Matrix, roundToGrid } from "../../../src/quant/rounding/matrix.ts";
import { searchedGrid } from "../../../src/quant/rounding/scales.ts";
import { problem } from "./problem.ts";

const algebra = openAlgebra();
afterAll(() => algebra.release());

/** The least ΔHΔᵀ of one row whose codes are the two next to each weight, by trying them all. */
async function exhaustive(matrix: Matrix, grid: Grid, gram: Float64Array): Promise<number> {
  const floors = matrix.values.map((value) => Math.floor(value / grid.scale[0]));
  let least = Number.POSITIVE_INFINITY;
  for (let choice = 0; choice < 2 ** matrix.depth; choice++) {
    const codes = Int8Array.from(floors, (floor, at) =>
      Math.min(grid.high, Math.max(grid.low, floor + ((choice >> at) & 1))),
    );
    least = Math.min(least, await outputError(matrix, { grid, codes }, gram, algebra));
  }
  return least;
}

describe("adaRound", () => {
  it.each(["int4", "int8"] as const)("%s: each code is next to its weight, and far less is lost", async (format) => {
    const { matrix, gram } = problem(8, 120, 3);
    const grid = searchedGrid(matrix, new Float64Array(120).fill(1), { format, block: 32 });
    const nearest = roundToGrid(matrix, grid);
    const made = await adaRound(matrix, grid, gram, { steps: 500 }, algebra);
    const blocks = Math.ceil(120 / grid.block);
    made.codes.forEach((code, index) => {
      const [row, at] = [Math.floor(index / 120), index % 120];
      const step = grid.scale[row] * grid.multipliers[row * blocks + Math.floor(at / grid.block)];
      const real = Math.min(grid.high, Math.max(grid.low, matrix.values[index] / step));
      expect(Math.abs(code - real)).toBeLessThan(1);
    });
    const [less, more] = [
      await outputError(matrix, made, gram, algebra),
      await outputError(matrix, nearest, gram, algebra),
    ];
    expect(less).toBeLessThan(0.4 * more);
  });

  it("goes more than half of the way from nearest to the best of all choices", async () => {
    let [found, best, plain] = [0, 0, 0];
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { matrix, gram } = problem(1, 9, seed);
      const grid = searchedGrid(matrix, new Float64Array(9).fill(1), { format: "int4", block: 32 });
      const made = await adaRound(matrix, grid, gram, { steps: 2000 }, algebra);
      found += await outputError(matrix, made, gram, algebra);
      plain += await outputError(matrix, roundToGrid(matrix, grid), gram, algebra);
      best += await exhaustive(matrix, grid, gram);
    }
    expect(best).toBeLessThan(plain);
    expect(found - best).toBeLessThan(0.5 * (plain - best));
  });

  it("keeps nearest where that cannot be beaten, and for rows that too few steps made worse", async () => {
    const { matrix, gram } = problem(6, 40, 7);
    const grid = searchedGrid(matrix, new Float64Array(40).fill(1), { format: "int4", block: 32 });
    const nearest = roundToGrid(matrix, grid);
    const alone = new Float64Array(1600);
    for (let at = 0; at < 40; at++) alone[at * 41] = 1 + at;
    expect((await adaRound(matrix, grid, alone, { steps: 300 }, algebra)).codes).toEqual(nearest.codes);
    const hasty = await adaRound(matrix, grid, gram, { steps: 2 }, algebra);
    expect(await outputError(matrix, hasty, gram, algebra)).toBeLessThanOrEqual(
      await outputError(matrix, nearest, gram, algebra),
    );
  });
});
