/** Eigenvectors of symmetric matrices. */

export interface Eigen {
  /** Descending. */
  readonly values: Float64Array;
  /** `vectors[i·size + j]` is element i of the vector of `values[j]`; columns are orthonormal. */
  readonly vectors: Float64Array;
}

/** Sweeps after which nothing is left to turn, even where rounding keeps the last digits moving. */
const SWEEPS = 60;

/**
 * All eigenvalues and eigenvectors of a symmetric [size, size] matrix by cyclic Jacobi rotations (Golub and Van Loan, Matrix
 * Computations, 8.5), with additions, products and square roots only, so that the bits are the same on every CPU. About 25·size³
 * multiply-adds. The matrix is left as it is; only its upper half is read.
 */
export function symmetricEigen(matrix: Float64Array, size: number): Eigen {
  // Rows of `a` and of `turned` are what rotations touch, so that memory is walked in order; `turned` holds vectors as rows.
  const a = new Float64Array(size * size);
  const turned = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    turned[row * size + row] = 1;
    for (let column = row; column < size; column++) {
      a[row * size + column] = matrix[row * size + column];
      a[column * size + row] = matrix[row * size + column];
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let rotations = 0;
    for (let p = 0; p < size - 1; p++) {
      for (let q = p + 1; q < size; q++) rotations += rotate(a, turned, size, p, q);
    }
    if (rotations === 0) break;
  }
  const order = Array.from({ length: size }, (_, index) => index).sort(
    (i, j) => a[j * size + j] - a[i * size + i] || i - j,
  );
  const vectors = new Float64Array(size * size);
  for (const [to, from] of order.entries()) {
    for (let row = 0; row < size; row++) vectors[row * size + to] = turned[from * size + row];
  }
  return { values: Float64Array.from(order, (index) => a[index * size + index]), vectors };
}

/** Makes a[p, q] 0 by a rotation in the plane of p and q; 0 where it is nothing beside the diagonal already. */
function rotate(a: Float64Array, turned: Float64Array, size: number, p: number, q: number): 0 | 1 {
  const [pp, qq, pq] = [a[p * size + p], a[q * size + q], a[p * size + q]];
  // Beside both of its diagonal elements it is below their last digit.
  if (Math.abs(pq) <= Number.EPSILON * Math.sqrt(Math.abs(pp * qq)) || pq === 0) return 0;
  // tan of the angle: the smaller root of t² + 2·τ·t − 1.
  const tau = (qq - pp) / (2 * pq);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const cosine = 1 / Math.sqrt(1 + t * t);
  const sine = t * cosine;
  const [rowP, rowQ] = [p * size, q * size];
  for (let i = 0; i < size; i++) {
    const [x, y] = [a[rowP + i], a[rowQ + i]];
    a[rowP + i] = cosine * x - sine * y;
    a[rowQ + i] = sine * x + cosine * y;
    const [u, v] = [turned[rowP + i], turned[rowQ + i]];
    turned[rowP + i] = cosine * u - sine * v;
    turned[rowQ + i] = sine * u + cosine * v;
  }
  // What is left of A·J becomes Jᵀ·A·J: the other rows follow by symmetry.
  for (let i = 0; i < size; i++) {
    if (i === p || i === q) continue;
    a[i * size + p] = a[rowP + i];
    a[i * size + q] = a[rowQ + i];
  }
  a[rowP + p] = pp - t * pq;
  a[rowQ + q] = qq + t * pq;
  a[rowP + q] = 0;
  a[rowQ + p] = 0;
  return 1;
}
