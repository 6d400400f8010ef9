import type { Algebra } from "./algebra.ts";
import { factorise, normaliseRows } from "./factor.ts";
import { type Grid, type Matrix, type Rounded, transposed } from "./matrix.ts";
import { BLOCK, settle } from "./sweep.ts";

export interface GptqOptions {
  /** Positions by descending H[i][i]: what matters most is rounded while all others can still make up for it. */
  readonly actOrder: boolean;
}

/**
 * GPTQ (Frantar et al. 2023): positions are rounded one after the other, and those not yet rounded take the value that is
 * best given what has been lost so far. With H = Gᵀ·D·G (G lower triangular, ones on its diagonal) and Δ = Ŵ − W, the error
 * ΔHΔᵀ is Σ_k D_k·(Δ_k + Σ_{j<k} G[k][j]·Δ_j)², so position k wants W_k − Σ_{j<k} G[k][j]·Δ_j: the same codes as with the
 * inverse's factor, from one factorization and without the inverse. The grid is fixed beforehand in the weights' own order, so
 * that blocks keep their multipliers whatever the order of the rounding.
 *
 * `gram` [depth, depth] must be symmetric and positive definite (see `damped`).
 */
export async function gptq(
  matrix: Matrix,
  grid: Grid,
  gram: Float64Array,
  options: GptqOptions,
  algebra: Algebra,
): Promise<Rounded> {
  const { rows, depth } = matrix;
  const order = options.actOrder ? byImportance(gram, depth) : Int32Array.from({ length: depth }, (_, i) => i);
  const g = permuted(gram, depth, order);
  await factorise(g, depth, algebra);
  normaliseRows(g, depth);
  const weights = transposed(matrix.values, rows, depth);
  const lost = new Float64Array(depth * rows);
  const codes = new Int8Array(rows * depth);
  for (let start = 0; start < depth; start += BLOCK) {
    const count = Math.min(BLOCK, depth - start);
    const base = new Float64Array(count * rows);
    for (let i = 0; i < count; i++) {
      const from = order[start + i] * rows;
      base.set(weights.subarray(from, from + rows), i * rows);
    }
    const target = base.slice();
    if (start > 0) {
      const owed = await algebra.multiply(
        rowsOf(g, depth, start, count, 0, start),
        count,
        start,
        lost.subarray(0, start * rows),
        rows,
      );
      for (let index = 0; index < target.length; index++) target[index] -= owed[index];
    }
    const positions = order.subarray(start, start + count);
    const blocks = positions.map((position) => Math.floor(position / grid.block));
    const coefficients = rowsOf(g, depth, start, count, start, count);
    const settled = settle({ count, rows, target, base, coefficients, blocks }, grid, depth);
    lost.set(settled.change, start * rows);
    for (let i = 0; i < count; i++) {
      for (let row = 0; row < rows; row++) codes[row * depth + positions[i]] = settled.codes[i * rows + row];
    }
  }
  return { grid, codes };
}

/** Equal ones stay in their order, so that the result does not depend on the sort. */
function byImportance(gram: Float64Array, depth: number): Int32Array {
  const order = Array.from({ length: depth }, (_, position) => position);
  order.sort((a, b) => gram[b * depth + b] - gram[a * depth + a] || a - b);
  return Int32Array.from(order);
}

function permuted(gram: Float64Array, depth: number, order: Int32Array): Float64Array {
  const result = new Float64Array(depth * depth);
  for (let i = 0; i < depth; i++) {
    const from = order[i] * depth;
    for (let j = 0; j < depth; j++) result[i * depth + j] = gram[from + order[j]];
  }
  return result;
}

/** A copy of [count, width] out of a square matrix. */
export function rowsOf(
  matrix: Float64Array,
  size: number,
  start: number,
  count: number,
  left: number,
  width: number,
): Float64Array {
  const part = new Float64Array(count * width);
  for (let i = 0; i < count; i++) {
    const from = (start + i) * size + left;
    part.set(matrix.subarray(from, from + width), i * width);
  }
  return part;
}
