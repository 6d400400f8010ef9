import { bug } from "../../error.ts";
import type { Algebra } from "./algebra.ts";

/** Rows that are factored together: what lies outside them goes through one product of matrices. */
const BLOCK = 64;

/**
 * H = Rᵀ·R with R lower triangular, in place of H's lower triangle (what stands above the diagonal afterwards means nothing).
 * It is Cholesky's factorization from the last row to the first: row k of R then says how a change of position k moves the
 * best values of the positions before it… and, read by columns, what each position must make up for. H must be positive
 * definite: `bug` otherwise, since damping comes first.
 */
export async function factorise(h: Float64Array, size: number, algebra: Algebra): Promise<void> {
  for (let end = size; end > 0; ) {
    const start = Math.floor((end - 1) / BLOCK) * BLOCK;
    const width = end - start;
    if (end < size) await subtractBelow(h, size, start, end, algebra);
    for (let k = end - 1; k >= start; k--) {
      const row = k * size;
      for (let l = k + 1; l < end; l++) {
        const factor = h[l * size + k];
        const other = l * size;
        for (let i = 0; i <= k; i++) h[row + i] -= factor * h[other + i];
      }
      const pivot = h[row + k];
      if (!(pivot > 0)) bug(`a damped Gram matrix is not positive definite (pivot ${pivot} at ${k})`);
      const root = Math.sqrt(pivot);
      for (let i = 0; i < k; i++) h[row + i] /= root;
      h[row + k] = root;
    }
    end -= width;
  }
}

/** Rows [start, end) less what the rows below, which are done, account for. */
async function subtractBelow(h: Float64Array, size: number, start: number, end: number, algebra: Algebra) {
  const [width, below] = [end - start, size - end];
  const left = new Float64Array(width * below);
  for (let l = 0; l < below; l++) {
    for (let k = 0; k < width; k++) left[k * below + l] = h[(end + l) * size + start + k];
  }
  const product = await algebra.multiply(left, width, below, h.subarray(end * size), size);
  for (let k = 0; k < width; k++) {
    const row = (start + k) * size;
    for (let i = 0; i < end; i++) h[row + i] -= product[k * size + i];
  }
}

/** Makes the diagonal of R one: then H = Gᵀ·D·G. */
export function normaliseRows(r: Float64Array, size: number): void {
  for (let k = 0; k < size; k++) {
    const pivot = r[k * size + k];
    for (let i = 0; i < k; i++) r[k * size + i] /= pivot;
  }
}

/**
 * Solves (Rᵀ·R)·X = B for `columns` right-hand sides, in place of B [size, columns]. Rᵀ is upper triangular: from the last
 * row to the first, then with R from the first to the last.
 */
export async function solve(
  r: Float64Array,
  size: number,
  b: Float64Array,
  columns: number,
  algebra: Algebra,
): Promise<void> {
  for (let end = size; end > 0; ) {
    const start = Math.floor((end - 1) / BLOCK) * BLOCK;
    const [width, below] = [end - start, size - end];
    if (below > 0) {
      const left = new Float64Array(width * below);
      for (let l = 0; l < below; l++) {
        for (let k = 0; k < width; k++) left[k * below + l] = r[(end + l) * size + start + k];
      }
      subtractFrom(b, start * columns, await algebra.multiply(left, width, below, b.subarray(end * columns), columns));
    }
    for (let k = end - 1; k >= start; k--) {
      for (let l = k + 1; l < end; l++) axpy(b, k * columns, r[l * size + k], l * columns, columns);
      scale(b, k * columns, 1 / r[k * size + k], columns);
    }
    end = start;
  }
  for (let start = 0; start < size; start += BLOCK) {
    const end = Math.min(size, start + BLOCK);
    if (start > 0) {
      const left = new Float64Array((end - start) * start);
      for (let k = start; k < end; k++) left.set(r.subarray(k * size, k * size + start), (k - start) * start);
      const done = b.subarray(0, start * columns);
      subtractFrom(b, start * columns, await algebra.multiply(left, end - start, start, done, columns));
    }
    for (let k = start; k < end; k++) {
      for (let l = start; l < k; l++) axpy(b, k * columns, r[k * size + l], l * columns, columns);
      scale(b, k * columns, 1 / r[k * size + k], columns);
    }
  }
}

function subtractFrom(target: Float64Array, at: number, values: Float64Array): void {
  for (let index = 0; index < values.length; index++) target[at + index] -= values[index];
}

function axpy(values: Float64Array, at: number, factor: number, from: number, count: number): void {
  for (let index = 0; index < count; index++) values[at + index] -= factor * values[from + index];
}

function scale(values: Float64Array, at: number, factor: number, count: number): void {
  for (let index = 0; index < count; index++) values[at + index] *= factor;
}
