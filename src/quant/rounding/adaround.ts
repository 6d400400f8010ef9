import type { Algebra } from "./algebra.ts";
import { blocksOf, type Grid, type Matrix, type Rounded, realise, roundToGrid, stepOf } from "./matrix.ts";

export interface AdaRoundOptions {
  /** Steps of Adam: the budget. */
  readonly steps: number;
}

/** h(V) = clip(σ(V)·(ζ − γ) + γ, 0, 1): it reaches 0 and 1 at finite V. */
const [GAMMA, ZETA] = [-0.1, 1.1];
/** Of Adam (Kingma & Ba 2015). */
const [FIRST, SECOND, TINY] = [0.9, 0.999, 1e-12];
/** How far a V may travel in all. From the middle to an end it is 2.4: the rest is room to turn round, again and again. */
const TRAVEL = 100;
/** Before this share of the steps, nothing draws h to 0 or 1. */
const WARM_UP = 0.2;
/** The exponent falls from the first to the second: at first only what is nearly whole is drawn to whole. */
const [STEEP, GENTLE] = [20, 2];
/** Weight of Σ 1 − |2h − 1|^β, in units of a mean position's own error: what is decided late is decided by nearness alone. */
const PULL = 3;

/**
 * AdaRound (Nagel et al. 2020) on the Gram matrix: ŵ = step·clip(⌊w / step⌋ + h(V)), and V minimises ΔHΔᵀ + λ·Σ (1 − |2h − 1|^β) by
 * Adam, β annealed. With Δ = Ŵ − W that is tr(ŴHŴᵀ) − 2·tr(ŴHWᵀ) up to a constant, so a step costs rows·depth², however many
 * samples H was made of. Each row's error is counted in its own steps and in H's mean diagonal, so that one rate serves all.
 * A row that came out worse than nearest stays at nearest. `gram` as for `gptq`; the result has no chance in it.
 */
export async function adaRound(
  matrix: Matrix,
  grid: Grid,
  gram: Float64Array,
  { steps }: AdaRoundOptions,
  algebra: Algebra,
): Promise<Rounded> {
  const { rows, depth } = matrix;
  const nearest = roundToGrid(matrix, grid);
  const problem = openProblem(matrix, grid);
  const { v, soft, slope, change } = problem;
  let mean = 0;
  for (let at = 0; at < depth; at++) mean += gram[at * depth + at] / depth;
  const own = gram.map((value) => value / mean);
  const [momentum, energy] = [new Float64Array(v.length), new Float64Array(v.length)];
  const rate = TRAVEL / steps;
  let [firstLeft, secondLeft] = [1, 1];
  for (let step = 0; step < steps; step++) {
    problem.relax();
    const pull = await algebra.multiply(change, rows, depth, own, depth);
    const done = step / steps;
    const after = (done - WARM_UP) / (1 - WARM_UP);
    const beta = GENTLE + (STEEP - GENTLE) * (1 - after);
    firstLeft *= FIRST;
    secondLeft *= SECOND;
    // A rate that falls to nothing: what is undecided settles.
    const now = (rate * (1 - done)) / (1 - firstLeft);
    for (let index = 0; index < v.length; index++) {
      let gradient = 2 * pull[index] * problem.weight[index];
      if (after > 0) gradient -= PULL * decided(soft[index], beta);
      gradient *= slope[index];
      momentum[index] = FIRST * momentum[index] + (1 - FIRST) * gradient;
      energy[index] = SECOND * energy[index] + (1 - SECOND) * gradient * gradient;
      v[index] -= (now * momentum[index]) / (Math.sqrt(energy[index] / (1 - secondLeft)) + TINY);
    }
  }
  problem.relax();
  const codes = Int8Array.from(soft, (h, index) => {
    return Math.min(grid.high, Math.max(grid.low, problem.floors[index] + (h >= 0.5 ? 1 : 0)));
  });
  const errors = await rowErrors(matrix, { grid, codes }, gram, algebra);
  const plain = await rowErrors(matrix, nearest, gram, algebra);
  for (let row = 0; row < rows; row++) {
    if (errors[row] > plain[row]) codes.set(nearest.codes.subarray(row * depth, (row + 1) * depth), row * depth);
  }
  return { grid, codes };
}

interface Problem {
  readonly v: Float64Array;
  /** h(V), and dh / dV. */
  readonly soft: Float64Array;
  readonly slope: Float64Array;
  /** ⌊w / step⌋. */
  readonly floors: Int16Array;
  /** Δ in the row's unit, and what h adds to it. */
  readonly change: Float64Array;
  readonly weight: Float64Array;
  /** Brings h, its slope and Δ to where V is. */
  relax(): void;
}

/** V begins where ŵ = w. */
function openProblem({ rows, depth, values }: Matrix, grid: Grid): Problem {
  const count = rows * depth;
  const [v, soft, slope, change] = Array.from({ length: 4 }, () => new Float64Array(count));
  const [weight, wanted] = [new Float64Array(count), new Float64Array(count)];
  const floors = new Int16Array(count);
  const blocks = blocksOf(depth, grid.block);
  for (let row = 0; row < rows; row++) {
    let unit = 0;
    for (let block = 0; block < blocks; block++) unit += stepOf(grid, blocks, row, block) / blocks;
    for (let at = 0; at < depth; at++) {
      const index = row * depth + at;
      const step = stepOf(grid, blocks, row, Math.floor(at / grid.block));
      const floor = Math.min(grid.high, Math.max(grid.low - 1, Math.floor(values[index] / step)));
      const part = Math.min(1, Math.max(0, values[index] / step - floor));
      floors[index] = floor;
      weight[index] = step / unit;
      wanted[index] = values[index] / unit;
      v[index] = -Math.log((ZETA - GAMMA) / (part - GAMMA) - 1);
    }
  }
  const relax = () => {
    for (let index = 0; index < count; index++) {
      const sigma = 1 / (1 + Math.exp(-v[index]));
      const h = sigma * (ZETA - GAMMA) + GAMMA;
      const code = floors[index] + Math.min(1, Math.max(0, h));
      const inside = h > 0 && h < 1 && code > grid.low && code < grid.high;
      soft[index] = Math.min(1, Math.max(0, h));
      slope[index] = inside ? (ZETA - GAMMA) * sigma * (1 - sigma) : 0;
      change[index] = Math.min(grid.high, Math.max(grid.low, code)) * weight[index] - wanted[index];
    }
  };
  return { v, soft, slope, floors, change, weight, relax };
}

/** −d/dh (1 − |2h − 1|^β). */
function decided(h: number, beta: number): number {
  const from = 2 * h - 1;
  // Not Math.pow, which differs between versions of Node.
  return from === 0 ? 0 : 2 * beta * Math.sign(from) * Math.exp((beta - 1) * Math.log(Math.abs(from)));
}

/** ΔHΔᵀ of each row. */
async function rowErrors(
  { rows, depth, values }: Matrix,
  rounded: Rounded,
  gram: Float64Array,
  algebra: Algebra,
): Promise<Float64Array> {
  const off = realise(rounded, rows, depth);
  for (let index = 0; index < off.length; index++) off[index] -= values[index];
  const moved = await algebra.multiply(off, rows, depth, gram, depth);
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let at = row * depth; at < (row + 1) * depth; at++) sum += off[at] * moved[at];
    return sum;
  });
}
