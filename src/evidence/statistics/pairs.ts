/** Drops where every outcome is one yes or no. */
import type { Metric } from "../metric.ts";
import { countOf, designEffect, effectiveGroups, freedomOf, type GroupSum, totalOf } from "./clusters.ts";
import { normalQuantile, studentQuantile } from "./distributions.ts";
import type { Outcomes } from "./outcomes.ts";
import { type Pairs, tangoLower, tangoUpper } from "./proportions.ts";
import type { Bounds, Part, Reduction } from "./reduction.ts";
import { unseenEffect } from "./unseen.ts";

/** Samples of a group that only the teacher, and only the compiled model, got right. */
export interface PairPart extends Part {
  readonly worse: number;
  readonly better: number;
}

/** Undefined unless every outcome is one yes or no. */
export function reducePairs(
  { ratio, direction }: Metric,
  groups: readonly (readonly Outcomes[])[],
): Reduction<PairPart> | undefined {
  if (!ratio) return undefined;
  const sign = direction === "higher" ? 1 : -1;
  const parts: PairPart[] = [];
  for (const members of groups) {
    let [worse, better] = [0, 0];
    for (const { teacher, compiled } of members) {
      const [a, wholeA] = ratio(teacher, teacher);
      const [b, wholeB] = ratio(compiled, teacher);
      if (wholeA !== 1 || wholeB !== 1 || (a !== 0 && a !== 1) || (b !== 0 && b !== 1)) return undefined;
      if ((a - b) * sign > 0) worse++;
      else if (a !== b) better++;
    }
    parts.push({ size: members.length, worse, better });
  }
  return pairReduction(parts);
}

export function pairReduction(parts: readonly PairPart[]): Reduction<PairPart> {
  const size = Math.max(1, Math.round(totalOf(parts, (part) => part.size) / parts.length));
  return {
    method: "tango",
    parts,
    surprise: { size, worse: 1, better: 0 },
    bounds: pairBounds,
    withoutDrop: (kinds) => [kinds, kinds.map((kind) => ({ ...kind, worse: kind.better, better: kind.worse }))],
  };
}

/**
 * Tango's score interval on as many samples as the groups are worth: by the variance between groups, with Student's
 * quantile for so many of them, or by what they may hide (`unseenEffect`), whichever says less.
 */
function pairBounds(parts: readonly PairPart[], alpha: number): Bounds {
  const sums = (of: (part: PairPart) => number): GroupSum[] =>
    parts.map((part) => ({ sum: of(part), size: part.size, count: part.count ?? 1 }));
  const drops = sums(({ worse, better }) => worse - better);
  const different = sums(({ worse, better }) => worse + better);
  const whole: Pairs = {
    n: totalOf(parts, ({ size }) => size),
    worse: totalOf(parts, ({ worse }) => worse),
    better: totalOf(parts, ({ better }) => better),
  };
  const discordant = whole.worse + whole.better;
  const effect = Math.max(designEffect(drops, discordant), designEffect(different, discordant));
  const freedom = Math.max(1, Math.min(effectiveGroups(parts, ({ size }) => size) - 1, freedomOf(drops)));
  const student = studentQuantile(1 - alpha, effect > 1 ? freedom : Math.max(1, countOf(parts) - 1));
  const hidden = Math.max(effect, unseenEffect(different));
  const [seen, unseen] = [scaled(whole, effect), scaled(whole, hidden)];
  const z = normalQuantile(1 - alpha);
  return {
    estimate: (whole.worse - whole.better) / whole.n,
    lower: Math.min(tangoLower(seen, student), tangoLower(unseen, z)),
    upper: Math.max(tangoUpper(seen, student), tangoUpper(unseen, z)),
    effectiveSamples: whole.n / hidden,
    freedom,
  };
}

const scaled = ({ n, worse, better }: Pairs, effect: number): Pairs => ({
  n: n / effect,
  worse: worse / effect,
  better: better / effect,
});
