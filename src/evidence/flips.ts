/** Samples where two models part ways, and which of these partings do harm. */
import type { Metric } from "./metric.ts";
import { byGroup, type GroupSum } from "./statistics/clusters.ts";
import type { Outcomes } from "./statistics/outcomes.ts";
import { type ShareLimits, shareLimits } from "./statistics/shares.ts";

export interface Flips {
  /** Samples that the two answer differently. */
  readonly flipped: number;
  /** Of these, where the second one's answer is the worse one. */
  readonly harmful: number;
  readonly n: number;
  /** The share of harmful flips, with exact limits on as many samples as the groups are worth. */
  readonly share: ShareLimits;
}

/** How bad an outcome is by itself: a sample's own error where the metric has one a sample, NaN otherwise. */
function badness(metric: Metric, outcome: unknown, reference: unknown): number {
  if (!metric.ratio) return Number.NaN;
  const [top, bottom] = metric.ratio(outcome, reference);
  return (metric.direction === "higher" ? -top : top) / Math.max(1, bottom);
}

/**
 * Flips from the teacher to the compiled model, or from any model to another. Where the metric says nothing about a single
 * sample, every flip counts as harmful: nobody can say that it is not.
 */
export function flipsOf(metric: Metric, records: readonly Outcomes[], alpha: number): Flips {
  let flipped = 0;
  let harmful = 0;
  const groups = byGroup(records).map((members): GroupSum => {
    let sum = 0;
    for (const { teacher, compiled } of members) {
      const { equal, total } = metric.same(teacher, compiled);
      if (equal === total) continue;
      flipped++;
      const change = badness(metric, compiled, teacher) - badness(metric, teacher, teacher);
      if (change > 0 || Number.isNaN(change)) sum++;
    }
    harmful += sum;
    return { sum, size: members.length };
  });
  return { flipped, harmful, n: records.length, share: shareLimits(groups, alpha) };
}
