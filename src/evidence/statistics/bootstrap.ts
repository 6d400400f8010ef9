/** The group bootstrap with bias correction and acceleration, widened for few groups. */
import { splitMix } from "../../data/random.ts";
import { freedomFrom } from "./clusters.ts";
import { normalCdf, normalQuantile, studentQuantile } from "./distributions.ts";

/** A figure as a function of how often each group counts; NaN where it has no value for such a draw. */
export interface Resampled {
  readonly groups: number;
  /** What one evaluation costs, about: samples or groups touched. */
  readonly work: number;
  value(weights: Int32Array): number;
}

export interface Limits {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
  readonly resamples: number;
}

/** Outcomes combined in all resamples together; what bounds the time, whatever the number of samples. */
const WORK = 20_000_000;
const MOST_RESAMPLES = 4000;
const LEAST_RESAMPLES = 400;
/** Groups left out at a time in the jackknife, so that there are at most so many replicates. */
const MOST_REPLICATES = 200;

/**
 * One-sided limits at `1 − alpha` each. BCa (Efron 1987); the normal quantile is replaced by √(G/(G−1)) · t(G−1), since
 * drawing G of G groups makes the spread too small by that much (Hesterberg 2015, "expanded percentile"), with fewer
 * degrees of freedom where few groups hold most of the variance (`freedomFrom`); and never inside the jackknife's own t limits, which do not run out of resamples in the tail.
 */
export function bootstrapLimits(figure: Resampled, alpha: number, seed: number): Limits | undefined {
  const { groups } = figure;
  const weights = new Int32Array(groups).fill(1);
  const estimate = figure.value(weights);
  if (groups < 2 || Number.isNaN(estimate)) return undefined;
  const wanted = Math.floor(WORK / Math.max(1, figure.work));
  const resamples = Math.max(LEAST_RESAMPLES, Math.min(MOST_RESAMPLES, wanted));
  const random = splitMix(seed);
  const drawn: number[] = [];
  for (let draw = 0; draw < resamples; draw++) {
    weights.fill(0);
    for (let pick = 0; pick < groups; pick++) weights[Math.floor(random() * groups)]++;
    const value = figure.value(weights);
    if (!Number.isNaN(value)) drawn.push(value);
  }
  if (drawn.length < resamples / 2) return undefined;
  drawn.sort((a, b) => a - b);
  const { error, acceleration, freedom } = jackknife(figure, estimate);
  const wide = studentQuantile(1 - alpha, freedom);
  const bias = normalQuantile(shareBelow(drawn, estimate));
  const z = Math.sqrt(groups / (groups - 1)) * wide;
  const at = (side: number) => {
    const shifted = bias + side * z;
    return quantile(drawn, normalCdf(bias + shifted / Math.max(0.1, 1 - acceleration * shifted)));
  };
  return {
    estimate,
    lower: Math.min(at(-1), estimate - wide * error),
    upper: Math.max(at(1), estimate + wide * error),
    resamples: drawn.length,
  };
}

/** The share of draws below the estimate, ties counting half; never 0 or 1, where the bias would be infinite. */
function shareBelow(sorted: readonly number[], estimate: number): number {
  let share = 0;
  for (const value of sorted) share += value < estimate ? 1 : value === estimate ? 0.5 : 0;
  return Math.min(1 - 1 / sorted.length, Math.max(1 / sorted.length, share / sorted.length));
}

/** Delete-one-group (or a block of groups): standard error and acceleration Σd³ / (6·(Σd²)^1.5). */
function jackknife({ groups, value }: Resampled, estimate: number) {
  const replicates = Math.min(groups, MOST_REPLICATES);
  const weights = new Int32Array(groups).fill(1);
  const values: number[] = [];
  for (let replicate = 0; replicate < replicates; replicate++) {
    for (let group = replicate; group < groups; group += replicates) weights[group] = 0;
    const without = value(weights);
    values.push(Number.isNaN(without) ? estimate : without);
    for (let group = replicate; group < groups; group += replicates) weights[group] = 1;
  }
  const mean = values.reduce((sum, each) => sum + each, 0) / replicates;
  let [square, cube] = [0, 0];
  for (const each of values) {
    square += (mean - each) ** 2;
    cube += (mean - each) ** 3;
  }
  let fourth = 0;
  for (const each of values) fourth += (mean - each) ** 4;
  return {
    freedom: freedomFrom({ square, fourth, count: replicates }),
    error: Math.sqrt((square * (replicates - 1)) / replicates),
    acceleration: square > 0 ? cube / (6 * square ** 1.5) : 0,
  };
}

/** Of sorted values, interpolated linearly between neighbours. */
export function quantile(sorted: readonly number[], q: number): number {
  const place = Math.min(1, Math.max(0, q)) * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}
