import type { WeightFormat } from "../format.ts";

/** Weights as the rounding methods see them: output channels are rows, what one of them sums over are positions. */

export interface Matrix {
  readonly rows: number;
  readonly depth: number;
  /** [rows, depth]. */
  readonly values: Float64Array;
}

/**
 * Which reals a code stands for: real = code · multiplier · scale, the multiplier one for each row and `block` positions.
 * Codes lie in [low, high].
 */
export interface Grid {
  readonly low: number;
  readonly high: number;
  /** Single precision, one a row, positive. */
  readonly scale: Float32Array;
  readonly block: number;
  /** [rows, ⌈depth / block⌉]; all one for int8. */
  readonly multipliers: Uint8Array;
}

/** A matrix in codes, [rows, depth]. */
export interface Rounded {
  readonly grid: Grid;
  readonly codes: Int8Array;
}

/** Codes of a format, and the largest multiplier: 14 · −8 stays within the ±119 that keep the int8 product from overflowing. */
export const RANGES: Readonly<Record<WeightFormat, { readonly low: number; readonly high: number; most: number }>> = {
  int8: { low: -127, high: 127, most: 1 },
  int4: { low: -8, high: 7, most: 14 },
};

export function blocksOf(depth: number, block: number): number {
  return Math.ceil(depth / block);
}

/** The step at a row's block: multiplier · scale, in doubles. */
export function stepOf({ scale, multipliers }: Grid, blocks: number, row: number, block: number): number {
  return multipliers[row * blocks + block] * scale[row];
}

/** The reals that the codes stand for, [rows, depth]. */
export function realise({ grid, codes }: Rounded, rows: number, depth: number): Float64Array {
  const blocks = blocksOf(depth, grid.block);
  const values = new Float64Array(rows * depth);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const step = stepOf(grid, blocks, row, block);
      const end = row * depth + Math.min(depth, (block + 1) * grid.block);
      for (let at = row * depth + block * grid.block; at < end; at++) values[at] = codes[at] * step;
    }
  }
  return values;
}

/** Every weight to its nearest code; ties away from zero on the positive side, as Math.round has them. */
export function roundToGrid(matrix: Matrix, grid: Grid): Rounded {
  const { rows, depth, values } = matrix;
  const blocks = blocksOf(depth, grid.block);
  const codes = new Int8Array(rows * depth);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const step = stepOf(grid, blocks, row, block);
      const end = row * depth + Math.min(depth, (block + 1) * grid.block);
      for (let at = row * depth + block * grid.block; at < end; at++) {
        codes[at] = Math.min(grid.high, Math.max(grid.low, Math.round(values[at] / step)));
      }
    }
  }
  return { grid, codes };
}

export function transposed(values: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column];
  }
  return result;
}
