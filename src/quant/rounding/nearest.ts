import { placesFor } from "../../run/wasm.ts";
import { roundingKernels } from "../kernels/load.ts";

/** Rows of int4 codes, rounded to nearest on the widest grid. */
export interface NearestRows {
  /** Packed two a byte, low nibble first, [rows, depth]. */
  readonly codes: Uint8Array;
  /** [rows, depth / block], from 1 to `most`. */
  readonly multipliers: Uint8Array;
  /** [rows]; 0 for a row of zeros. */
  readonly scale: Float32Array;
}

/** Bytes of weights that are copied in at once: they and their codes stay in the second-level cache. */
const PIECE = 2 ** 18;

/**
 * real ≈ code · multiplier · scale with codes in [−7, 7], nothing clipped: a row's scale is its largest magnitude over 7·most, a
 * block's multiplier the least that reaches its own. `depth` must be a multiple of `block`, that of 32. One pass over memory.
 */
export function nearestRows(
  values: Float32Array,
  rows: number,
  depth: number,
  block: number,
  most: number,
): NearestRows {
  const kernels = roundingKernels();
  const blocks = depth / block;
  const codes = new Uint8Array((rows * depth) / 2);
  const multipliers = new Uint8Array(rows * blocks);
  const scale = new Float32Array(rows);
  const strip = Math.max(1, Math.min(rows, Math.floor(PIECE / (depth * 4))));
  const [v, q, m, s, reaches] = placesFor(kernels, [
    strip * depth * 4,
    (strip * depth) / 2,
    strip * blocks,
    strip * 4,
    blocks * 4,
  ]);
  const { buffer } = kernels.memory;
  for (let row = 0; row < rows; row += strip) {
    const count = Math.min(strip, rows - row);
    new Float32Array(buffer, v, count * depth).set(values.subarray(row * depth, (row + count) * depth));
    kernels.roundRows(v, count, depth, block, most, q, m, s, reaches);
    codes.set(new Uint8Array(buffer, q, (count * depth) / 2), (row * depth) / 2);
    multipliers.set(new Uint8Array(buffer, m, count * blocks), row * blocks);
    scale.set(new Float32Array(buffer, s, count), row);
  }
  return { codes, multipliers, scale };
}
