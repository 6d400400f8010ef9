/** How much worse the compiled model can be than the teacher, given how few samples were seen. */
import type { Metric } from "../metric.ts";
import { bootstrapLimits, type Resampled } from "./bootstrap.ts";
import { byGroup, designEffect, differences, totalOf } from "./clusters.ts";
import { overDraws } from "./draws.ts";
import { reduceInfluence } from "./influence.ts";
import type { Outcomes } from "./outcomes.ts";
import { reducePairs } from "./pairs.ts";
import { clopperPearsonUpper } from "./proportions.ts";
import { reduceRatio } from "./ratios.ts";
import type { Bounds, Part, Reduction } from "./reduction.ts";
import { unseenEffect } from "./unseen.ts";

/** One-sided limits: the drop is above `upper`, or below `lower`, with probability `alpha` at most, each. */
export interface DropLimits {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
  readonly alpha: number;
  readonly method: "tango" | "score" | "bootstrap";
  readonly groups: number;
  /** Samples that would say as much if they were independent. */
  readonly effectiveSamples: number;
}

/** Of alpha, what limits are computed at, since they are approximations and the promise is not. Chosen by simulation. */
export const SPENT = 0.8;

/** Fewer groups than this say nothing about other groups. */
export const MIN_GROUPS = 8;

/**
 * Both limits of the drop at `1 − alpha`. Yes-or-no outcomes: Tango's score interval, on as many samples as the groups
 * are worth. Ratios of sums, and metrics that know each sample's influence: a score interval from the groups' deviations.
 * Other metrics: the bootstrap by group. Always, where hardly any sample differs the upper limit is not below what the rest
 * may hide: the exact limit of the share of samples that differ, each costing no less than those seen, and groups going wrong
 * together as far as what was seen does not exclude it (`unseenEffect`).
 * @returns undefined with too few groups, or where the metric has no value
 */
export function dropLimits(
  metric: Metric,
  records: readonly Outcomes[],
  { alpha, seed }: { readonly alpha: number; readonly seed: number },
): DropLimits | undefined {
  const groups = byGroup(records);
  if (groups.length < MIN_GROUPS) return undefined;
  const reduction = reductionOf(metric, groups);
  const bounds = reduction
    ? limitsFrom(reduction, reduction.parts, alpha)
    : resampled(metric, groups, SPENT * alpha, seed);
  if (!bounds) return undefined;
  const { estimate, lower, upper, effectiveSamples } = bounds;
  const method = reduction?.method ?? "bootstrap";
  return { estimate, lower, upper, alpha, method, groups: groups.length, effectiveSamples };
}

/** The limits that gates are judged by, if these were the groups. */
export function limitsFrom<T extends Part>(reduction: Reduction<T>, parts: readonly T[], alpha: number): Bounds {
  return reduction.bounds(parts, SPENT * alpha);
}

/** What each group adds; undefined where only whole evaluations of the metric say that, or it has no value. */
export function reductionOf(metric: Metric, groups: readonly (readonly Outcomes[])[]): Reduction | undefined {
  const pairs = reducePairs(metric, groups);
  if (pairs) return pairs as Reduction;
  return (metric.ratio ? reduceRatio(metric.ratio, metric.direction, groups) : reduceInfluence(metric, groups)) as
    | Reduction
    | undefined;
}

function resampled(
  metric: Metric,
  groups: readonly (readonly Outcomes[])[],
  alpha: number,
  seed: number,
): Omit<Bounds, "freedom"> | undefined {
  const limits = bootstrapLimits(dropOver(metric, groups), alpha, seed);
  if (!limits) return undefined;
  const { estimate, lower } = limits;
  const differing = differences(metric, groups);
  const seen = totalOf(differing, ({ sum }) => sum);
  const samples = totalOf(differing, ({ size }) => size);
  const effect = Math.max(designEffect(differing, seen), unseenEffect(differing));
  const effectiveSamples = samples / effect;
  // A sample that differs costs at most all of what one sample can cost, or on average what those seen did.
  const each = seen === 0 ? 1 : Math.max(0, (estimate * samples) / seen);
  const hidden = clopperPearsonUpper(seen / effect, effectiveSamples, alpha) * each;
  return { estimate, lower, upper: Math.max(limits.upper, hidden), effectiveSamples };
}

/** The drop over draws of groups. */
export function dropOver(metric: Metric, groups: readonly (readonly Outcomes[])[]): Resampled {
  const sign = metric.direction === "higher" ? 1 : -1;
  const work = groups.reduce((sum, { length }) => sum + length, 0) * 2;
  const ofTeacher = overDraws(metric, groups, ({ teacher }) => teacher);
  const ofCompiled = overDraws(metric, groups, ({ compiled }) => compiled);
  return { groups: groups.length, work, value: (weights) => sign * (ofTeacher(weights) - ofCompiled(weights)) };
}
