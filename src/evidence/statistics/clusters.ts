/** Samples that go wrong together: what a group of them is worth. */
import type { Metric } from "../metric.ts";
import type { Outcomes } from "./outcomes.ts";

/** The records of each group, in the order in which the groups first appear. */
export function byGroup<T extends Outcomes>(records: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const record of records) {
    const members = groups.get(record.group);
    if (members) members.push(record);
    else groups.set(record.group, [record]);
  }
  return [...groups.values()];
}

/** A figure for each group and how many samples it stands for. */
export interface GroupSum {
  readonly sum: number;
  readonly size: number;
  /** How many such groups there are; 1 unless said otherwise. */
  readonly count?: number;
}

/** Σ over the groups, each as often as it is there. */
export function totalOf<T extends { readonly count?: number }>(groups: readonly T[], of: (group: T) => number): number {
  let sum = 0;
  for (const group of groups) sum += of(group) * (group.count ?? 1);
  return sum;
}

export const countOf = (groups: readonly { readonly count?: number }[]): number => totalOf(groups, () => 1);

/**
 * (Σ m)² / Σ m²: how many groups of the same weight say as much about a variance as these of different weight m; the leading
 * term of the effective number of clusters (Carter, Schnepel and Steigerwald 2017).
 */
export function effectiveGroups<T extends { readonly count?: number }>(
  groups: readonly T[],
  of: (group: T) => number,
): number {
  const square = totalOf(groups, (group) => of(group) ** 2);
  return square === 0 ? countOf(groups) : totalOf(groups, of) ** 2 / square;
}

/** Sums of powers of what groups deviate by, which is all that intervals need of them. */
export interface Deviations {
  readonly square: number;
  readonly cube: number;
  readonly fourth: number;
  readonly count: number;
}

export function deviationsOf<T extends { readonly count?: number }>(
  groups: readonly T[],
  of: (group: T) => number,
): Deviations {
  let [square, cube, fourth, count] = [0, 0, 0, 0];
  for (const group of groups) {
    const deviation = of(group);
    const times = group.count ?? 1;
    const squared = deviation * deviation;
    square += times * squared;
    cube += times * squared * deviation;
    fourth += times * squared * squared;
    count += times;
  }
  return { square, cube, fourth, count };
}

/**
 * Of the mean Σ sum / Σ size where whole groups are the units: (sum − mean·size) / N, whose squares add up to its variance
 * but for G/(G−1) (Kish, Survey Sampling, 1965, the ratio estimator).
 */
function deviationsOfMean(groups: readonly GroupSum[]): Deviations {
  const size = totalOf(groups, (group) => group.size);
  const mean = totalOf(groups, ({ sum }) => sum) / size;
  return deviationsOf(groups, (group) => (group.sum - mean * group.size) / size);
}

/** Of a figure whose groups deviate so: G/(G−1) · Σ d². */
export const varianceFrom = ({ square, count }: Deviations): number =>
  count < 2 ? Number.NaN : (square * count) / (count - 1);

/**
 * How many times larger the variance is than if samples were independent, at least 1. `square`: Σ of the samples' squared
 * values.
 */
export function designEffect(groups: readonly GroupSum[], square: number): number {
  const size = totalOf(groups, (group) => group.size);
  const mean = totalOf(groups, ({ sum }) => sum) / size;
  const independent = (square / size - mean * mean) / Math.max(1, size - 1);
  return independent <= 0 ? 1 : Math.max(1, varianceFrom(deviationsOfMean(groups)) / independent);
}

/** With fewer degrees of freedom the quantiles say nothing any more. */
const LEAST_FREEDOM = 3;

/** Degrees of freedom of the variance of Σ sum / Σ size. */
export function freedomOf(groups: readonly GroupSum[]): number {
  return freedomFrom(deviationsOfMean(groups));
}

/**
 * Degrees of freedom of `varianceFrom`: its own relative variance is (κ − 1)/G with κ the kurtosis of the groups'
 * deviations, and a χ² with f degrees has 2/f; so where a few groups hold all that went wrong, f is small (Satterthwaite
 * 1946).
 */
export function freedomFrom({ square, fourth, count }: Omit<Deviations, "cube">): number {
  if (square === 0) return Math.max(1, count - 1);
  const excess = (count * fourth) / (square * square) - 3;
  // Few deviations show too little of it: the estimate without that bias (Joanes and Gill 1998, G2).
  const unbiased = count < 4 ? excess : (((count - 1) / (count - 2)) * ((count + 1) * excess + 6)) / (count - 3);
  return Math.max(LEAST_FREEDOM, Math.min(count - 1, (2 * count) / Math.max(2, unbiased + 2)));
}

/** The share of samples that two models answer differently, by group. */
export function differences(metric: Metric, groups: readonly (readonly Outcomes[])[]): GroupSum[] {
  return groups.map((members) => ({
    sum: members.filter(({ teacher, compiled }) => {
      const { equal, total } = metric.same(teacher, compiled);
      return equal < total;
    }).length,
    size: members.length,
  }));
}
