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
}

/**
 * Variance of the mean Σ sum / Σ size where whole groups are the units: G/(G−1) · Σ (sum − mean·size)² / N² (Kish, Survey
 * Sampling, 1965, the ratio estimator).
 */
export function varianceOfMean(groups: readonly GroupSum[]): number {
  const size = groups.reduce((total, group) => total + group.size, 0);
  const mean = groups.reduce((total, group) => total + group.sum, 0) / size;
  const squares = groups.reduce((total, group) => total + (group.sum - mean * group.size) ** 2, 0);
  return groups.length < 2 ? Number.NaN : (squares * groups.length) / ((groups.length - 1) * size * size);
}

/**
 * How many times larger the variance is than if samples were independent, at least 1. `square`: Σ of the samples' squared
 * values.
 */
export function designEffect(groups: readonly GroupSum[], square: number): number {
  const size = groups.reduce((total, group) => total + group.size, 0);
  const mean = groups.reduce((total, group) => total + group.sum, 0) / size;
  const independent = (square / size - mean * mean) / Math.max(1, size - 1);
  return independent <= 0 ? 1 : Math.max(1, varianceOfMean(groups) / independent);
}

/** With fewer degrees of freedom the quantiles say nothing any more. */
const LEAST_FREEDOM = 3;

/**
 * Degrees of freedom of `varianceOfMean`: its own relative variance is (κ − 1)/G with κ the kurtosis of the groups'
 * residuals, and a χ² with f degrees has 2/f; so where a few groups hold all that went wrong, f is small (Satterthwaite
 * 1946).
 */
export function freedomOf(groups: readonly GroupSum[]): number {
  const size = groups.reduce((total, group) => total + group.size, 0);
  const mean = groups.reduce((total, group) => total + group.sum, 0) / size;
  let [square, fourth] = [0, 0];
  for (const group of groups) {
    const residual = (group.sum - mean * group.size) ** 2;
    square += residual;
    fourth += residual * residual;
  }
  return freedomFrom(square, fourth, groups.length);
}

/** The same from Σ d² and Σ d⁴ over `count` deviations. */
export function freedomFrom(square: number, fourth: number, count: number): number {
  if (square === 0) return count - 1;
  const kurtosis = (count * fourth) / (square * square);
  return Math.max(LEAST_FREEDOM, Math.min(count - 1, (2 * count) / Math.max(2, kurtosis - 1)));
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
