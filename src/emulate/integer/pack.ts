/** Constant operands in the order that the product kernels read (kernels/assembly/gemm.ts). */

/** Left operand: blocks of 4 rows, the last rows one by one; two depths share a word, an odd depth ends with 0. */
export function packRows(rows: number, depth: number, value: (row: number, k: number) => number): Int16Array {
  const pairs = Math.ceil(depth / 2);
  const packed = new Int16Array(rows * pairs * 2);
  for (let first = 0; first < rows; ) {
    const size = rows - first >= 4 ? 4 : 1;
    for (let r = 0; r < size; r++) {
      for (let k = 0; k < depth; k++) {
        packed[2 * (first * pairs + (k >> 1) * size + r) + (k & 1)] = value(first + r, k);
      }
    }
    first += size;
  }
  return packed;
}

/** Right operand: panels of 8 columns, the last filled up with 0. */
export function packColumns(depth: number, columns: number, value: (k: number, column: number) => number): Int16Array {
  const pairs = Math.ceil(depth / 2);
  const packed = new Int16Array(Math.ceil(columns / 8) * pairs * 16);
  for (let column = 0; column < columns; column++) {
    const panel = (column >> 3) * pairs;
    for (let k = 0; k < depth; k++) {
      packed[2 * ((panel + (k >> 1)) * 8 + (column & 7)) + (k & 1)] = value(k, column);
    }
  }
  return packed;
}

/** Panels that a tile of the right operand may have, so that it stays in a core's second-level cache. */
export function panelsFor(pairs: number, wanted: number): number {
  return Math.max(1, Math.min(wanted, Math.floor(TILE_BYTES / (pairs * 32))));
}

const TILE_BYTES = 256 * 1024;
