import { afterAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/ir/random.ts";
import { openAlgebra } from "../../../src/quant/rounding/algebra.ts";
import { chanceOf, damped } from "../../../src/quant/rounding/condition.ts";
import { descend, outputError } from "../../../src/quant/rounding/descent.ts";
import { factorise, solve } from "../../../src/quant/rounding/factor.ts";
import { gptq } from "../../../src/quant/rounding/gptq.ts";
import { type Grid, type Matrix, roundToGrid } from "../../../src/quant/rounding/matrix.ts";
import { searchedGrid, widestGrid } from "../../../src/quant/rounding/scales.ts";
import { bell, problem } from "./problem.ts";

const algebra = openAlgebra();
afterAll(() => algebra.release());

/** As the paper has it: H⁻¹ by Gauss–Jordan, its upper Cholesky factor, one column after the other. */
function textbook(matrix: Matrix, grid: Grid, gram: Float64Array, order: readonly number[]): Int8Array {
  const { rows, depth } = matrix;
  const n = depth;
  const a = order.map((i, at) => [...order.map((j) => gram[i * n + j]), ...order.map((_, j) => (j === at ? 1 : 0))]);
  for (let k = 0; k < n; k++) {
    const pivot = a[k][k];
    a[k] = a[k].map((value) => value / pivot);
    for (let i = 0; i < n; i++) {
      const factor = a[i][k];
      if (i !== k && factor !== 0) a[i] = a[i].map((value, j) => value - factor * a[k][j]);
    }
  }
  const inverse = a.map((row) => row.slice(n));
  // inverse = Uᵀ·U, U upper triangular.
  const u = inverse.map((row) => row.map(() => 0));
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      let sum = inverse[i][j];
      for (let k = 0; k < i; k++) sum -= u[k][i] * u[k][j];
      u[i][j] = i === j ? Math.sqrt(sum) : sum / u[i][i];
    }
  }
  const codes = new Int8Array(rows * depth);
  const blocks = Math.ceil(depth / grid.block);
  for (let row = 0; row < rows; row++) {
    const w = order.map((position) => matrix.values[row * depth + position]);
    for (let i = 0; i < n; i++) {
      const position = order[i];
      const step = grid.scale[row] * grid.multipliers[row * blocks + Math.floor(position / grid.block)];
      const code = Math.min(grid.high, Math.max(grid.low, Math.round(w[i] / step)));
      codes[row * depth + position] = code;
      const error = (w[i] - code * step) / u[i][i];
      for (let j = i; j < n; j++) w[j] -= error * u[i][j];
    }
  }
  return codes;
}

function orderBy(gram: Float64Array, depth: number): number[] {
  const order = Array.from({ length: depth }, (_, i) => i);
  return order.sort((a, b) => gram[b * depth + b] - gram[a * depth + a]);
}

const SIZES = [
  [1, 9],
  [5, 25],
  [12, 150],
] as const;

describe("factorise", () => {
  it.each([3, 64, 65, 200])("gives back a matrix of %i", async (size) => {
    const { gram } = problem(1, size, 3);
    const r = gram.slice();
    await factorise(r, size, algebra);
    let worst = 0;
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        let sum = 0;
        for (let k = Math.max(i, j); k < size; k++) sum += r[k * size + i] * r[k * size + j];
        worst = Math.max(worst, Math.abs(sum - gram[i * size + j]));
      }
    }
    expect(worst).toBeLessThan(1e-9 * Math.max(...gram));
    const right = Float64Array.from({ length: size * 2 }, (_, index) => Math.sin(index));
    const want = right.slice();
    await solve(r, size, right, 2, algebra);
    const back = await algebra.multiply(gram, size, size, right, 2);
    back.forEach((value, index) => {
      expect(value).toBeCloseTo(want[index], 6);
    });
  });

  it("refuses what is not positive definite", async () => {
    await expect(factorise(Float64Array.of(1, 2, 2, 1), 2, algebra)).rejects.toThrow("not positive definite");
  });
});

describe("gptq", () => {
  it.each(SIZES)("%i rows of %i: the codes of the textbook", async (rows, depth) => {
    const { matrix, gram } = problem(rows, depth, rows + depth);
    for (const format of ["int8", "int4"] as const) {
      const grid = widestGrid(matrix, { format, block: 32 });
      const plain = await gptq(matrix, grid, gram, { actOrder: false }, algebra);
      const natural = Array.from({ length: depth }, (_, i) => i);
      expect(plain.codes).toEqual(textbook(matrix, grid, gram, natural));
      const ordered = await gptq(matrix, grid, gram, { actOrder: true }, algebra);
      expect(ordered.codes).toEqual(textbook(matrix, grid, gram, orderBy(gram, depth)));
    }
  });

  it("is nearest where inputs do not depend on each other", async () => {
    const { matrix } = problem(4, 40, 7);
    const gram = new Float64Array(1600);
    for (let i = 0; i < 40; i++) gram[i * 41] = 1 + i;
    const grid = widestGrid(matrix, { format: "int4", block: Number.POSITIVE_INFINITY });
    expect((await gptq(matrix, grid, gram, { actOrder: true }, algebra)).codes).toEqual(
      roundToGrid(matrix, grid).codes,
    );
  });

  it("does not look at the order of the positions when it orders them itself", async () => {
    const { matrix, gram } = problem(6, 30, 11);
    const turn = Array.from({ length: 30 }, (_, i) => (i * 7) % 30);
    const turned: Matrix = {
      ...matrix,
      values: matrix.values.map((_, at) => matrix.values[at - (at % 30) + turn[at % 30]]),
    };
    const turnedGram = gram.map((_, at) => gram[turn[Math.floor(at / 30)] * 30 + turn[at % 30]]);
    const grid = widestGrid(matrix, { format: "int4", block: Number.POSITIVE_INFINITY });
    const here = (await gptq(matrix, grid, gram, { actOrder: true }, algebra)).codes;
    const there = (await gptq(turned, grid, turnedGram, { actOrder: true }, algebra)).codes;
    expect(there).toEqual(here.map((_, at) => here[at - (at % 30) + turn[at % 30]]));
  });

  it("loses far less than nearest, and rounds an input that never moves to nearest", async () => {
    const { matrix, gram } = problem(16, 200, 5);
    for (let i = 0; i < 200; i++) gram[i * 200 + 17] = gram[17 * 200 + i] = 0;
    const settled = damped(gram, 200, 0.001);
    const grid = searchedGrid(matrix, new Float64Array(200).fill(1), { format: "int4", block: 64 });
    const nearest = roundToGrid(matrix, grid);
    const made = await gptq(matrix, grid, settled, { actOrder: true }, algebra);
    const [less, more] = [
      await outputError(matrix, made, settled, algebra),
      await outputError(matrix, nearest, settled, algebra),
    ];
    expect(less).toBeLessThan(0.5 * more);
    for (let row = 0; row < 16; row++) expect(made.codes[row * 200 + 17]).toBe(nearest.codes[row * 200 + 17]);
  });
});

describe("descend", () => {
  it.each([...SIZES, [9, 300]] as const)(
    "%i rows of %i: never raises the error, and ends where no single code can lower it",
    async (rows, depth) => {
      const { matrix, gram } = problem(rows, depth, 31 * rows + depth);
      const grid = searchedGrid(matrix, new Float64Array(depth).fill(1), { format: "int4", block: 32 });
      const starts = [roundToGrid(matrix, grid), await gptq(matrix, grid, gram, { actOrder: true }, algebra)];
      for (const start of starts) {
        let last = await outputError(matrix, start, gram, algebra);
        for (const passes of [1, 2, 4]) {
          const error = await outputError(matrix, await descend(matrix, start, gram, passes, algebra), gram, algebra);
          expect(error).toBeLessThanOrEqual(last * (1 + 1e-9));
          last = error;
        }
      }
      const settled = await descend(matrix, starts[0], gram, 50, algebra);
      const least = await outputError(matrix, settled, gram, algebra);
      for (let at = 0; at < settled.codes.length; at += 7) {
        const codes = settled.codes.slice();
        codes[at] = Math.max(grid.low, codes[at] - 1);
        expect(await outputError(matrix, { ...settled, codes }, gram, algebra)).toBeGreaterThanOrEqual(
          least * (1 - 1e-9),
        );
      }
    },
  );
});

describe("chanceOf", () => {
  /** Σ xxᵀ of `count` vectors that have `causes` directions in common, of none where that is 0. */
  function gramOf(depth: number, count: number, causes: number): Float64Array {
    const random = seededRandom(count + causes);
    const mixing = Array.from({ length: causes }, () => Array.from({ length: depth }, () => bell(random)));
    const gram = new Float64Array(depth * depth);
    for (let sample = 0; sample < count; sample++) {
      const common = mixing.map(() => 3 * bell(random));
      const x = Array.from({ length: depth }, (_, i) =>
        mixing.reduce((sum, m, k) => sum + common[k] * m[i], bell(random)),
      );
      for (let i = 0; i < depth; i++) for (let j = 0; j < depth; j++) gram[i * depth + j] += x[i] * x[j];
    }
    return gram;
  }

  it("is all where nothing goes together, little where much does, and goes with the number of vectors", () => {
    expect(chanceOf(gramOf(40, 30, 0), 40, 30)).toBeGreaterThan(0.8);
    expect(chanceOf(gramOf(40, 30, 2), 40, 30)).toBeLessThan(0.25);
    expect(chanceOf(gramOf(40, 3000, 2), 40, 3000)).toBeLessThan(0.003);
    expect(chanceOf(new Float64Array(9), 3, 10)).toBe(1);
    expect([...damped(Float64Array.of(2, 1, 1, 4), 2, 0.1, 0.5)]).toEqual([2.3, 0.5, 0.5, 4.3]);
  });
});
