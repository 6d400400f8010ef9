/** Limits of one proportion, and of the difference of two that were observed on the same samples. */
import { betaQuantile, rootOf } from "./distributions.ts";

/**
 * The exact upper limit of a proportion (Clopper and Pearson 1934): P(X ≤ k) = alpha there. `k` of `n`; either may be
 * a fraction (an effective number of samples).
 */
export function clopperPearsonUpper(k: number, n: number, alpha: number): number {
  return k >= n ? 1 : betaQuantile(1 - alpha, k + 1, n - k);
}

/** The lower limit: P(X ≥ k) = alpha there. */
export function clopperPearsonLower(k: number, n: number, alpha: number): number {
  return k <= 0 ? 0 : betaQuantile(alpha, k, n - k + 1);
}

/** Pairs of yes and no: `worse` only the first model got right, `better` only the second. */
export interface Pairs {
  readonly n: number;
  readonly worse: number;
  readonly better: number;
}

/**
 * Tango's score statistic for "the drop is `drop`" (Statistics in Medicine 17, 1998, equations 2 to 5):
 * (b − c − n·Δ) / √(n·(2q + Δ(1 − Δ))), q the likeliest share of `better` under that drop.
 */
export function tangoStatistic({ n, worse, better }: Pairs, drop: number): number {
  const b = -worse - better + (2 * n - worse + better) * drop;
  const c = -better * drop * (1 - drop);
  const q = Math.max(0, (Math.sqrt(Math.max(0, b * b - 8 * n * c)) - b) / (4 * n));
  const variance = n * (2 * q + drop * (1 - drop));
  const numerator = worse - better - n * drop;
  return variance <= 0 ? Math.sign(numerator) * Number.POSITIVE_INFINITY || 0 : numerator / Math.sqrt(variance);
}

/** The largest drop that the statistic does not exclude at the critical value `z`. */
export function tangoUpper(pairs: Pairs, z: number): number {
  return rootOf((drop) => -z - tangoStatistic(pairs, drop), (pairs.worse - pairs.better) / pairs.n, 1);
}

/** The smallest drop that the statistic does not exclude. */
export function tangoLower({ n, worse, better }: Pairs, z: number): number {
  return -tangoUpper({ n, worse: better, better: worse }, z);
}
