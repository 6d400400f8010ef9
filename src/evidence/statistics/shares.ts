/** Limits of one model's own figures: its metric, and shares of samples. */
import type { Metric } from "../metric.ts";
import { bootstrapLimits } from "./bootstrap.ts";
import { countOf, designEffect, effectiveGroups, freedomOf, type GroupSum, totalOf } from "./clusters.ts";
import { normalQuantile, studentQuantile } from "./distributions.ts";
import { overDraws } from "./draws.ts";
import type { Outcomes } from "./outcomes.ts";
import { clopperPearsonLower, clopperPearsonUpper } from "./proportions.ts";
import { unseenEffect } from "./unseen.ts";

/** One-sided limits, each at the alpha that was asked for. */
export interface ShareLimits {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/**
 * Exact limits (Clopper, Pearson) of a share of yeses, on as many samples as the groups are worth: by the variance between
 * groups, with Student's quantile for so many of them (n · (z / t)²: Korn and Graubard 1998), or by what they may hide
 * (`unseenEffect`, of a share near 1 as of one near 0), whichever says less.
 */
export function shareLimits(groups: readonly GroupSum[], alpha: number): ShareLimits {
  const yes = totalOf(groups, ({ sum }) => sum);
  const all = totalOf(groups, ({ size }) => size);
  const effect = Math.max(seenEffect(groups, yes, alpha), unseenEffect(groups));
  return {
    estimate: yes / all,
    lower: clopperPearsonLower(yes / effect, all / effect, alpha),
    upper: clopperPearsonUpper(yes / effect, all / effect, alpha),
  };
}

/** Where no group has two samples they are independent, and no variance is estimated. */
function seenEffect(groups: readonly GroupSum[], yes: number, alpha: number): number {
  if (groups.every(({ size }) => size <= 1)) return 1;
  const effect = designEffect(groups, yes);
  const weighed = effectiveGroups(groups, ({ size }) => size) - 1;
  const freedom = effect > 1 ? Math.min(weighed, freedomOf(groups)) : countOf(groups) - 1;
  return effect * (studentQuantile(1 - alpha, Math.max(1, freedom)) / normalQuantile(1 - alpha)) ** 2;
}

/** Limits of the compiled model's metric itself. @returns undefined where the metric has no value or too few draws do */
export function metricLimits(
  metric: Metric,
  groups: readonly (readonly Outcomes[])[],
  { alpha, seed }: { readonly alpha: number; readonly seed: number },
): ShareLimits | undefined {
  const sums = metric.ratio && ratioSums(metric.ratio, groups);
  if (sums?.binary) return shareLimits(sums.groups, alpha);
  const evaluated = sums ? undefined : overDraws(metric, groups, ({ compiled }) => compiled);
  const value = (weights: Int32Array): number => {
    if (sums) {
      let [top, bottom] = [0, 0];
      sums.groups.forEach(({ sum, size }, at) => {
        top += weights[at] * sum;
        bottom += weights[at] * size;
      });
      return top / bottom;
    }
    return evaluated!(weights);
  };
  const samples = groups.reduce((sum, { length }) => sum + length, 0);
  return bootstrapLimits({ groups: groups.length, work: sums ? groups.length : samples, value }, alpha, seed);
}

function ratioSums(ratio: NonNullable<Metric["ratio"]>, groups: readonly (readonly Outcomes[])[]) {
  let binary = true;
  const sums = groups.map((members): GroupSum => {
    let [sum, size] = [0, 0];
    for (const { teacher, compiled } of members) {
      const [top, bottom] = ratio(compiled, teacher);
      binary &&= bottom === 1 && (top === 0 || top === 1);
      sum += top;
      size += bottom;
    }
    return { sum, size };
  });
  return { groups: sums, binary };
}
