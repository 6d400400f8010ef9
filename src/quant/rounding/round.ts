import { adaRound } from "./adaround.ts";
import type { Algebra } from "./algebra.ts";
import { chanceOf, damped } from "./condition.ts";
import { descend } from "./descent.ts";
import { factorise, solve } from "./factor.ts";
import { gptq } from "./gptq.ts";
import { type Matrix, type Rounded, roundToGrid, transposed } from "./matrix.ts";
import { type GridOptions, searchedGrid, widestGrid } from "./scales.ts";

/**
 * How weights are rounded: `nearest` on the widest grid; `mse` and `h-mse` on the grid with the least squared error, which
 * `h-mse` weights by how large the inputs are; the others let weights make up for each other, on the grid of `h-mse`.
 */
export const METHODS = ["nearest", "mse", "h-mse", "gptq", "descent", "gptq+descent", "adaround"] as const;
export type Method = (typeof METHODS)[number];

export interface RoundingOptions extends GridOptions {
  readonly method: Method;
  /** λ is this share of the Gram matrix' mean diagonal. */
  readonly damping: number;
  readonly actOrder: boolean;
  /** Of coordinate descent. */
  readonly passes: number;
  /** Of AdaRound. */
  readonly steps: number;
}

/** What calibration saw of the inputs of one group of rows; none where nothing was seen. */
export interface Inputs {
  /** Σ x̂·x̂ᵀ of the inputs that the rounded weights will meet, [depth, depth]. */
  readonly gram: Float64Array;
  /** Σ x̂·xᵀ, x the float model's inputs: absent where x̂ = x. */
  readonly cross?: Float64Array;
  /** How many vectors were summed. */
  readonly count: number;
}

/** Rounds one group of output channels that read the same inputs. */
export async function roundMatrix(
  matrix: Matrix,
  inputs: Inputs | undefined,
  options: RoundingOptions,
  algebra: Algebra,
): Promise<Rounded> {
  const { method } = options;
  if (method === "nearest") return roundToGrid(matrix, widestGrid(matrix, options));
  const even = new Float64Array(matrix.depth).fill(1);
  if (method === "mse" || inputs === undefined) return roundToGrid(matrix, searchedGrid(matrix, even, options));
  const chance = chanceOf(inputs.gram, matrix.depth, inputs.count);
  const gram = damped(inputs.gram, matrix.depth, options.damping, chance);
  const importance = diagonalOf(gram, matrix.depth);
  if (method === "h-mse") return roundToGrid(matrix, searchedGrid(matrix, importance, options));
  const target = inputs.cross ? await aimAt(matrix, inputs.gram, inputs.cross, gram, 1 - chance, algebra) : matrix;
  const grid = searchedGrid(target, importance, options);
  if (method === "adaround") return adaRound(target, grid, gram, options, algebra);
  const first = method === "descent" ? roundToGrid(target, grid) : await gptq(target, grid, gram, options, algebra);
  return method === "gptq" ? first : descend(target, first, gram, options.passes, algebra);
}

/**
 * The inputs that rounded weights meet are themselves off. ‖W·X − Ŵ·X̂‖² has its least at W* = W·(C + λ)ᵀ·(S + λ)⁻¹ with S = X̂X̂ᵀ and
 * C = X̂Xᵀ, and is the distance from it in S, up to a constant: so W* is what is rounded. The damping draws W* to W, and so
 * does what is chance in C − S.
 */
async function aimAt(
  matrix: Matrix,
  gram: Float64Array,
  cross: Float64Array,
  dampedGram: Float64Array,
  trust: number,
  algebra: Algebra,
): Promise<Matrix> {
  const { rows, depth, values } = matrix;
  // W*ᵀ − Wᵀ = (S + λ)⁻¹·(C − S)·Wᵀ.
  const off = new Float64Array(depth * depth);
  for (let index = 0; index < off.length; index++) off[index] = trust * (cross[index] - gram[index]);
  const right = await algebra.multiply(off, depth, depth, transposed(values, rows, depth), rows);
  const factor = dampedGram.slice();
  await factorise(factor, depth, algebra);
  await solve(factor, depth, right, rows, algebra);
  const moved = transposed(right, depth, rows);
  return { rows, depth, values: values.map((value, index) => value + moved[index]) };
}

function diagonalOf(gram: Float64Array, depth: number): Float64Array {
  return Float64Array.from({ length: depth }, (_, index) => gram[index * depth + index]);
}
