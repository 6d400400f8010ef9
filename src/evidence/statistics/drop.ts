/** How much worse the compiled model can be than the teacher, given how few samples were seen. */
import type { Metric } from "../metric.ts";
import { bootstrapLimits, type Resampled } from "./bootstrap.ts";
import { byGroup, designEffect, differences, freedomOf, type GroupSum } from "./clusters.ts";
import { studentQuantile } from "./distributions.ts";
import { overDraws } from "./draws.ts";
import type { Outcomes } from "./outcomes.ts";
import { clopperPearsonUpper, type Pairs, tangoLower, tangoUpper } from "./proportions.ts";
import { ratioDrop, ratioSums, scoreUpper } from "./ratios.ts";

/** One-sided limits: the drop is above `upper`, or below `lower`, with probability `alpha` at most, each. */
export interface DropLimits {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
  readonly alpha: number;
  readonly method: "tango" | "bootstrap";
  readonly groups: number;
  /** Samples that would say as much if they were independent. */
  readonly effectiveSamples: number;
}

/** Fewer groups than this say nothing about other groups. */
export const MIN_GROUPS = 8;

/**
 * Both limits of the drop at `1 − alpha`. Yes-or-no outcomes: Tango's score interval, on as many samples as the groups
 * are worth (design effect), with Student's quantile for the groups. Other metrics: the bootstrap by group. Either way,
 * where hardly any sample differs the upper limit is not below what the rest may hide: the exact limit of the share of
 * samples that differ, each costing no less than those seen; and a ratio's variance is taken at the limit (`scoreUpper`).
 * @returns undefined with too few groups, or where the metric has no value
 */
export function dropLimits(
  metric: Metric,
  records: readonly Outcomes[],
  { alpha, seed }: { readonly alpha: number; readonly seed: number },
): DropLimits | undefined {
  const groups = byGroup(records);
  if (groups.length < MIN_GROUPS) return undefined;
  const pairs = pairsOf(metric, groups);
  if (pairs) return pairedProportions(pairs, alpha);
  const limits = bootstrapLimits(dropOver(metric, groups), alpha, seed);
  if (!limits) return undefined;
  const { estimate, lower } = limits;
  const differing = differences(metric, groups);
  const effect = designEffect(differing, total(differing));
  const effectiveSamples = records.length / effect;
  const seen = total(differing);
  // A sample that differs costs at most all of what one sample can cost, or on average what those seen did.
  const each = seen === 0 ? 1 : Math.max(0, (estimate * records.length) / seen);
  const hidden = clopperPearsonUpper(seen / effect, effectiveSamples, alpha) * each;
  const score = metric.ratio ? scoreUpper(ratioSums(metric.ratio, groups), metric.direction, alpha) : limits.upper;
  const upper = Math.max(limits.upper, hidden, score);
  return { estimate, lower, upper, alpha, method: "bootstrap", groups: groups.length, effectiveSamples };
}

const total = (groups: readonly GroupSum[]): number => groups.reduce((sum, group) => sum + group.sum, 0);

/** By group: pairs where only one model is right. */
type GroupPairs = readonly Pairs[];

/** Undefined unless every outcome is one yes or no. */
function pairsOf(metric: Metric, groups: readonly (readonly Outcomes[])[]): GroupPairs | undefined {
  const { ratio, direction } = metric;
  if (!ratio) return undefined;
  const sign = direction === "higher" ? 1 : -1;
  const found: Pairs[] = [];
  for (const members of groups) {
    let [worse, better] = [0, 0];
    for (const { teacher, compiled } of members) {
      const [a, wholeA] = ratio(teacher, teacher);
      const [b, wholeB] = ratio(compiled, teacher);
      if (wholeA !== 1 || wholeB !== 1 || (a !== 0 && a !== 1) || (b !== 0 && b !== 1)) return undefined;
      if ((a - b) * sign > 0) worse++;
      else if (a !== b) better++;
    }
    found.push({ n: members.length, worse, better });
  }
  return found;
}

/** The worse of two design effects: of the drop, and of there being a difference at all. */
function effectOf(groups: GroupPairs): number {
  const discordant = groups.reduce((sum, { worse, better }) => sum + worse + better, 0);
  const drops = groups.map(({ n, worse, better }) => ({ sum: worse - better, size: n }));
  const different = groups.map(({ n, worse, better }) => ({ sum: worse + better, size: n }));
  return Math.max(designEffect(drops, discordant), designEffect(different, discordant));
}

function pairedProportions(groups: GroupPairs, alpha: number): DropLimits {
  const effect = effectOf(groups);
  const sum = (of: (pairs: Pairs) => number) => groups.reduce((whole, pairs) => whole + of(pairs), 0);
  const scaled = {
    n: sum(({ n }) => n) / effect,
    worse: sum(({ worse }) => worse) / effect,
    better: sum(({ better }) => better) / effect,
  };
  const drops = groups.map(({ n, worse, better }) => ({ sum: worse - better, size: n }));
  const z = studentQuantile(1 - alpha, effect > 1 ? freedomOf(drops) : groups.length - 1);
  return {
    estimate: (scaled.worse - scaled.better) / scaled.n,
    lower: tangoLower(scaled, z),
    upper: tangoUpper(scaled, z),
    alpha,
    method: "tango",
    groups: groups.length,
    effectiveSamples: scaled.n,
  };
}

/** The drop over draws of groups; from the groups' sums where the metric is a ratio of sums, from all outcomes otherwise. */
export function dropOver(metric: Metric, groups: readonly (readonly Outcomes[])[]): Resampled {
  const sign = metric.direction === "higher" ? 1 : -1;
  if (metric.ratio) return ratioDrop(ratioSums(metric.ratio, groups), sign);
  const work = groups.reduce((sum, { length }) => sum + length, 0) * 2;
  const ofTeacher = overDraws(metric, groups, ({ teacher }) => teacher);
  const ofCompiled = overDraws(metric, groups, ({ compiled }) => compiled);
  return { groups: groups.length, work, value: (weights) => sign * (ofTeacher(weights) - ofCompiled(weights)) };
}
