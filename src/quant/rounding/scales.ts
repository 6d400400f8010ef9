import { placesFor } from "../../run/wasm.ts";
import type { WeightFormat } from "../format.ts";
import { type RoundingKernels, roundingKernels } from "../kernels/load.ts";
import { blocksOf, type Grid, type Matrix, RANGES } from "./matrix.ts";

export interface GridOptions {
  readonly format: WeightFormat;
  /** Positions that share a multiplier; `Infinity` for all of them. int8 has none. */
  readonly block: number;
  /** The largest magnitude among all the layer's weights, where these are a part of them. */
  readonly largest?: number;
}

/** Rows whose weights are this much smaller than the largest row's get its scale: their bias would leave 32 bits. */
const SPREAD = 2 ** -16;

/**
 * The widest grid: nothing is clipped. The scale of a row is what its largest block needs; a block's multiplier the least
 * that reaches its largest weight.
 */
export function widestGrid(matrix: Matrix, options: GridOptions): Grid {
  return gridOf(matrix, options, (reach) => reach);
}

/** Shares of the widest range that are tried, largest first: 81 steps down to a fifth. */
const SHARES = Float32Array.from({ length: 81 }, (_, step) => 1 - step / 100);
/** Scales of a row that are tried once its blocks' steps are known: the largest multiplier is 14 with the first of them. */
const FINENESS = [14, 13, 12, 11, 10, 9, 8];

/**
 * The grid with the least Σ h_i·(w_i − ŵ_i)²: the positions' weights `importance` are the diagonal of the Gram matrix, or all
 * one. Each block's step is searched over shares of its range; then the row's scale and multipliers that come closest.
 */
export function searchedGrid(matrix: Matrix, importance: Float64Array, options: GridOptions): Grid {
  const search = openSearch(matrix, importance, options);
  return gridOf(matrix, options, search.reach, search.fit);
}

/** Reaches of the blocks of one row → that row's scale and multipliers. */
type Fit = (row: number, reaches: readonly number[]) => { scale: number; multipliers: readonly number[] };

function gridOf(
  { rows, depth, values }: Matrix,
  { format, block, largest = 0 }: GridOptions,
  reachOf: (widest: number, row: number, block: number) => number,
  search?: Fit,
): Grid {
  const { low, high, most } = RANGES[format];
  const size = most === 1 ? depth : Math.min(block, depth);
  const blocks = blocksOf(depth, size);
  const scale = new Float32Array(rows);
  const multipliers = new Uint8Array(rows * blocks).fill(1);
  const widest = new Float64Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < depth; at++) {
      const place = row * blocks + Math.floor(at / size);
      widest[place] = Math.max(widest[place], Math.abs(values[row * depth + at]));
    }
  }
  // Not Math.max(...): a layer may have more blocks than a call has arguments.
  const typical = widest.reduce((top, value) => Math.max(top, value), Math.max(largest, 1e-30));
  for (let row = 0; row < rows; row++) {
    const reaches = Array.from({ length: blocks }, (_, index) => {
      const reach = widest[row * blocks + index];
      return reach === 0 ? 0 : reachOf(reach, row, index);
    });
    const top = Math.max(...reaches);
    if (top === 0) scale[row] = typical / high;
    else if (blocks === 1 || top < typical * SPREAD) scale[row] = Math.max(top, typical * SPREAD) / high;
    else {
      const made = search ? search(row, reaches) : reaching(reaches, top / (high * most), high, most);
      scale[row] = made.scale;
      multipliers.set(made.multipliers, row * blocks);
    }
  }
  return { low, high, scale, block: size, multipliers };
}

function reaching(reaches: readonly number[], wanted: number, high: number, most: number) {
  const scale = Math.fround(wanted);
  const multipliers = reaches.map((reach) => Math.min(most, Math.max(1, Math.ceil(reach / (high * scale)))));
  return { scale, multipliers };
}

function openSearch({ depth, values }: Matrix, importance: Float64Array, { format, block }: GridOptions) {
  const { low, high, most } = RANGES[format];
  const size = most === 1 ? depth : Math.min(block, depth);
  const errorsOf = errorMeter(roundingKernels(), size, low, high);
  const part = (row: number, index: number) => {
    const [start, end] = [index * size, Math.min(depth, (index + 1) * size)];
    return [values.subarray(row * depth + start, row * depth + end), importance.subarray(start, end)] as const;
  };
  const steps = new Float32Array(SHARES.length);
  return {
    reach(widest: number, row: number, index: number): number {
      for (let k = 0; k < steps.length; k++) steps[k] = (widest * SHARES[k]) / high;
      const errors = errorsOf(...part(row, index), steps);
      return widest * SHARES[leastOf(errors)];
    },
    fit(row: number, reaches: readonly number[]) {
      const top = Math.max(...reaches);
      const scales = FINENESS.map((fine) => Math.fround(top / (high * fine)));
      const totals = new Float64Array(scales.length);
      const chosen = scales.map(() => new Array<number>(reaches.length).fill(1));
      const tried = new Float32Array(scales.length * 2);
      reaches.forEach((reach, index) => {
        if (reach === 0) return;
        const pairs = scales.map((scale) => {
          const whole = Math.min(most, Math.max(1, Math.floor(reach / (high * scale))));
          return [whole, Math.min(most, whole + 1)] as const;
        });
        pairs.forEach((pair, k) => {
          tried[2 * k] = pair[0] * scales[k];
          tried[2 * k + 1] = pair[1] * scales[k];
        });
        const errors = errorsOf(...part(row, index), tried);
        pairs.forEach((pair, k) => {
          const better = errors[2 * k + 1] < errors[2 * k] ? 1 : 0;
          totals[k] += errors[2 * k + better];
          chosen[k][index] = pair[better];
        });
      });
      const best = leastOf(totals);
      return { scale: scales[best], multipliers: chosen[best] };
    },
  };
}

/** Errors of one piece of a row for several steps. */
type ErrorMeter = (weights: Float64Array, importance: Float64Array, steps: Float32Array) => Float64Array;

function errorMeter(kernels: RoundingKernels, length: number, low: number, high: number): ErrorMeter {
  const padded = Math.ceil(length / 4) * 4;
  const most = Math.max(SHARES.length, FINENESS.length * 2);
  const [w, h, s, out] = placesFor(kernels, [padded * 4, padded * 4, most * 4, most * 8]);
  return (weights, importance, steps) => {
    const { buffer } = kernels.memory;
    const [left, right] = [new Float32Array(buffer, w, padded), new Float32Array(buffer, h, padded)];
    left.set(weights);
    left.fill(0, weights.length);
    right.set(importance);
    new Float32Array(buffer, s, steps.length).set(steps);
    kernels.errors(w, h, padded, s, steps.length, low, high, out);
    return new Float64Array(buffer, out, steps.length).slice();
  };
}

/** The first of the least. */
function leastOf(errors: Float64Array): number {
  let best = 0;
  for (let index = 1; index < errors.length; index++) if (errors[index] < errors[best]) best = index;
  return best;
}
