import type { Algebra } from "./algebra.ts";
import { rowsOf } from "./gptq.ts";
import { type Matrix, type Rounded, realise, transposed } from "./matrix.ts";
import { BLOCK, settle } from "./sweep.ts";

/**
 * Coordinate descent on ΔHΔᵀ: every position in turn takes the code that is best with all others as they are, and after each
 * pass each row's scale is fitted anew, s = (u·Hw) / (u·Hu) with u the codes times their multipliers. Neither step can raise
 * the error. `gram` as for `gptq`.
 */
export async function descend(
  matrix: Matrix,
  start: Rounded,
  gram: Float64Array,
  passes: number,
  algebra: Algebra,
): Promise<Rounded> {
  const { rows, depth } = matrix;
  const wanted = transposed(matrix.values, rows, depth);
  const pull = await algebra.multiply(gram, depth, depth, wanted, rows);
  let rounded = start;
  for (let pass = 0; pass < passes; pass++) {
    const before = rounded.codes;
    rounded = await refit(rounded, rows, depth, gram, pull, algebra);
    rounded = await onePass(rounded, rows, depth, gram, pull, algebra);
    if (rounded.codes.every((code, index) => code === before[index])) break;
  }
  return refit(rounded, rows, depth, gram, pull, algebra);
}

async function refit(
  rounded: Rounded,
  rows: number,
  depth: number,
  gram: Float64Array,
  pull: Float64Array,
  algebra: Algebra,
): Promise<Rounded> {
  const { grid } = rounded;
  const units = transposed(
    realise({ ...rounded, grid: { ...grid, scale: grid.scale.map(() => 1) } }, rows, depth),
    rows,
    depth,
  );
  const moved = await algebra.multiply(gram, depth, depth, units, rows);
  const scale = grid.scale.slice();
  for (let row = 0; row < rows; row++) {
    let [with_, against] = [0, 0];
    for (let at = row; at < units.length; at += rows) {
      with_ += units[at] * pull[at];
      against += units[at] * moved[at];
    }
    const error = (s: number) => s * (s * against - 2 * with_);
    const best = Math.fround(with_ / against);
    if (best > 0 && Number.isFinite(best) && error(best) < error(scale[row])) scale[row] = best;
  }
  return { codes: rounded.codes, grid: { ...grid, scale } };
}

/** g = H·Δ is kept for all positions: position i wants ŵ_i − g_i / H_ii. */
async function onePass(
  { grid, codes: before }: Rounded,
  rows: number,
  depth: number,
  gram: Float64Array,
  pull: Float64Array,
  algebra: Algebra,
): Promise<Rounded> {
  const now = transposed(realise({ grid, codes: before }, rows, depth), rows, depth);
  const g = await algebra.multiply(gram, depth, depth, now, rows);
  for (let index = 0; index < g.length; index++) g[index] -= pull[index];
  const codes = before.slice();
  for (let start = 0; start < depth; start += BLOCK) {
    const count = Math.min(BLOCK, depth - start);
    const end = start + count;
    const base = now.slice(start * rows, end * rows);
    const target = base.slice();
    const coefficients = rowsOf(gram, depth, start, count, start, count);
    for (let i = 0; i < count; i++) {
      const own = gram[(start + i) * depth + start + i];
      for (let row = 0; row < rows; row++) target[i * rows + row] -= g[(start + i) * rows + row] / own;
      for (let j = 0; j < count; j++) coefficients[i * count + j] /= own;
    }
    const blocks = Int32Array.from({ length: count }, (_, i) => Math.floor((start + i) / grid.block));
    const settled = settle({ count, rows, target, base, coefficients, blocks }, grid, depth);
    for (let i = 0; i < count; i++) {
      for (let row = 0; row < rows; row++) codes[row * depth + start + i] = settled.codes[i * rows + row];
    }
    if (end === depth || settled.change.every((change) => change === 0)) continue;
    // What comes before is not read again in this pass.
    const rest = rowsOf(gram, depth, end, depth - end, start, count);
    const owed = await algebra.multiply(rest, depth - end, count, settled.change, rows);
    for (let index = 0; index < owed.length; index++) g[end * rows + index] += owed[index];
  }
  return { grid, codes };
}

/** Σ over rows of ΔHΔᵀ, the error that rounding makes on the outputs, summed over the samples that H was made of. */
export async function outputError(
  matrix: Matrix,
  rounded: Rounded,
  gram: Float64Array,
  algebra: Algebra,
): Promise<number> {
  const { rows, depth, values } = matrix;
  const off = realise(rounded, rows, depth);
  for (let index = 0; index < off.length; index++) off[index] -= values[index];
  const moved = await algebra.multiply(off, rows, depth, gram, depth);
  let sum = 0;
  for (let index = 0; index < off.length; index++) sum += off[index] * moved[index];
  return sum;
}
