/** Limits of one model's own figures: its metric, and shares of samples. */
import type { Metric } from "../metric.ts";
import { bootstrapLimits } from "./bootstrap.ts";
import { countOf, designEffect, effectiveGroups, freedomOf, type GroupSum, totalOf } from "./clusters.ts";
import { normalQuantile, studentQuantile } from "./distributions.ts";
import { overDraws } from "./draws.ts";
import { limitsFrom, SPENT } from "./drop.ts";
import { reduceInfluence } from "./influence.ts";
import type { Outcomes } from "./outcomes.ts";
import { clopperPearsonLower, clopperPearsonUpper } from "./proportions.ts";
import { reduceRatio } from "./ratios.ts";
import type { Reduction } from "./reduction.ts";
import { unseenEffect } from "./unseen.ts";

/** One-sided limits, each at the alpha that was asked for. */
export interface ShareLimits {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** How sure the correlation is not above the one that is reckoned with: chosen by simulation, docs/statistics.md. */
const SURE = 0.98;

/**
 * Exact limits (Clopper, Pearson) of a share of yeses, on as many samples as the groups are worth: by the variance between
 * groups, with Student's quantile for so many of them (n · (z / t)²: Korn and Graubard 1998), or by what they may hide
 * (`unseenEffect`, of a share near 1 as of one near 0, as far as Student's t² / 2 below the likeliest), whichever says less.
 * Where no group has two samples they are independent, nothing is estimated, and the limits are exact.
 */
export function shareLimits(groups: readonly GroupSum[], alpha: number): ShareLimits {
  const yes = totalOf(groups, ({ sum }) => sum);
  const all = totalOf(groups, ({ size }) => size);
  const single = groups.every(({ size }) => size <= 1);
  const weighed = Math.max(1, effectiveGroups(groups, ({ size }) => size) - 1);
  const level = single ? alpha : SPENT * alpha;
  const effect = single
    ? 1
    : Math.max(seenEffect(groups, yes, level, weighed), unseenEffect(groups, studentQuantile(SURE, weighed) ** 2 / 2));
  return {
    estimate: yes / all,
    lower: clopperPearsonLower(yes / effect, all / effect, level),
    upper: clopperPearsonUpper(yes / effect, all / effect, level),
  };
}

function seenEffect(groups: readonly GroupSum[], yes: number, alpha: number, weighed: number): number {
  const effect = designEffect(groups, yes);
  const freedom = effect > 1 ? Math.min(weighed, freedomOf(groups)) : Math.max(1, countOf(groups) - 1);
  return effect * (studentQuantile(1 - alpha, freedom) / normalQuantile(1 - alpha)) ** 2;
}

/**
 * Limits of the compiled model's metric itself. Where it is a ratio of sums, or knows each sample's influence, they are those of
 * the drop from a model without any fault; else the bootstrap's.
 * @returns undefined where the metric has no value or too few draws do
 */
export function metricLimits(
  metric: Metric,
  groups: readonly (readonly Outcomes[])[],
  { alpha, seed }: { readonly alpha: number; readonly seed: number },
): ShareLimits | undefined {
  const { ratio, direction } = metric;
  const yes = ratio && yesesOf(ratio, groups);
  if (yes) return shareLimits(yes, alpha);
  const reduction = ratio
    ? reduceRatio(asItIs, direction, besidePerfect(ratio, direction, groups))
    : reduceInfluence(metric, groups, "perfect");
  if (reduction) {
    const { estimate, lower, upper } = limitsFrom(reduction as Reduction, reduction.parts, alpha);
    const least = Math.max(Math.min(0, estimate), lower);
    if (direction === "higher") return { estimate: 1 - estimate, lower: Math.max(0, 1 - upper), upper: 1 - least };
    return Number.isFinite(upper) ? { estimate, lower: least, upper } : undefined;
  }
  const value = overDraws(metric, groups, ({ compiled }) => compiled);
  const samples = groups.reduce((sum, { length }) => sum + length, 0);
  return bootstrapLimits({ groups: groups.length, work: samples, value }, SPENT * alpha, seed);
}

type Ratio = NonNullable<Metric["ratio"]>;

/** Undefined unless every outcome is one yes or no. */
function yesesOf(ratio: Ratio, groups: readonly (readonly Outcomes[])[]): GroupSum[] | undefined {
  const sums: GroupSum[] = [];
  for (const members of groups) {
    let sum = 0;
    for (const { teacher, compiled } of members) {
      const [top, bottom] = ratio(compiled, teacher);
      if (bottom !== 1 || (top !== 0 && top !== 1)) return undefined;
      sum += top;
    }
    sums.push({ sum, size: members.length });
  }
  return sums;
}

/** Numerators and denominators for outcomes, the teacher's those of a model without any fault. */
function besidePerfect(
  ratio: Ratio,
  direction: Metric["direction"],
  groups: readonly (readonly Outcomes[])[],
): Outcomes[][] {
  return groups.map((members) =>
    members.map(({ group, teacher, compiled }) => {
      const [top, whole] = ratio(compiled, teacher);
      return { group, teacher: [direction === "higher" ? whole : 0, whole], compiled: [top, whole] };
    }),
  );
}

const asItIs: Ratio = (outcome) => outcome as readonly [number, number];
