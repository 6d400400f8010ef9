/** Limits of one model's own figures: its metric, and shares of samples. */
import type { Metric } from "../metric.ts";
import { bootstrapLimits } from "./bootstrap.ts";
import { designEffect, type GroupSum } from "./clusters.ts";
import { overDraws } from "./draws.ts";
import type { Outcomes } from "./outcomes.ts";
import { clopperPearsonLower, clopperPearsonUpper } from "./proportions.ts";

/** One-sided limits, each at the alpha that was asked for. */
export interface ShareLimits {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** Exact limits (Clopper, Pearson) of a share of yeses, on as many samples as the groups are worth. */
export function shareLimits(groups: readonly GroupSum[], alpha: number): ShareLimits {
  const yes = groups.reduce((sum, group) => sum + group.sum, 0);
  const all = groups.reduce((sum, group) => sum + group.size, 0);
  const effect = designEffect(groups, yes);
  return {
    estimate: yes / all,
    lower: clopperPearsonLower(yes / effect, all / effect, alpha),
    upper: clopperPearsonUpper(yes / effect, all / effect, alpha),
  };
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
