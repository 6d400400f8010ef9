/** Drops of metrics that are no ratio of sums, from what each sample, or each group, adds to them. */
import type { Metric } from "../metric.ts";
import { countOf, designEffect, deviationsOf, totalOf, varianceFrom } from "./clusters.ts";
import type { Outcomes } from "./outcomes.ts";
import { clopperPearsonUpper } from "./proportions.ts";
import type { Bounds, Part, Reduction } from "./reduction.ts";
import { freedomIn, scoreWidth, widthBelow } from "./score.ts";
import { unseenEffect } from "./unseen.ts";

/** What a group adds, as a multiple of what all do: 1/G of `drop` over the groups is how far the drop is from expected. */
export interface InfluencePart extends Part {
  readonly drop: number;
  /** Σ over the samples of the same without sign, and of its square. */
  readonly change: number;
  readonly changeSquared: number;
  /** Samples where it is not 0. */
  readonly changed: number;
}

/** @param against the teacher's own outcomes, or a model without any fault. */
export function reduceInfluence(
  metric: Metric,
  groups: readonly (readonly Outcomes[])[],
  against: "teacher" | "perfect" = "teacher",
): Reduction<InfluencePart> | undefined {
  if (!metric.influence) return undefined;
  const records = groups.flat();
  const reference = records.map(({ teacher }) => teacher);
  const group = Uint32Array.from(groups.flatMap((members, number) => members.map(() => number)));
  const ofCompiled = metric.influence(
    records.map(({ compiled }) => compiled),
    reference,
    group,
  );
  const ofTeacher =
    against === "teacher"
      ? metric.influence(reference, reference, group)
      : { ...ofCompiled, value: metric.direction === "higher" ? 1 : 0, each: new Float64Array(records.length) };
  const faults = against === "perfect" ? ofCompiled.faults : undefined;
  if (Number.isNaN(ofTeacher.value) || Number.isNaN(ofCompiled.value)) return undefined;
  const sign = metric.direction === "higher" ? 1 : -1;
  let at = 0;
  const parts = groups.map((members): InfluencePart => {
    let [drop, change, changeSquared, changed] = [0, 0, 0, 0];
    for (const _ of members) {
      const each = sign * (groups.length - 1) * (ofTeacher.each[at] - ofCompiled.each[at]);
      const changes = faults ? (groups.length - 1) * faults[at] : Math.abs(each);
      drop += each;
      change += changes;
      changeSquared += each * each;
      if (changes !== 0) changed++;
      at++;
    }
    return { size: members.length, drop, change, changeSquared, changed };
  });
  const mean = totalOf(parts, ({ drop }) => drop) / parts.length;
  const centred = parts.map((part) => ({ ...part, drop: part.drop - mean }));
  return influenceReduction(centred, sign * (ofTeacher.value - ofCompiled.value), ofTeacher.effectiveGroups);
}

/** `centre`: the drop that was measured. `effective`: equal groups that would weigh as much. */
export function influenceReduction(
  parts: readonly InfluencePart[],
  centre: number,
  effective: number,
): Reduction<InfluencePart> {
  return {
    method: "score",
    parts,
    bounds: (others, alpha) => influenceBounds(others, others === parts ? centre : 0, effective / parts.length, alpha),
    withoutDrop(kinds, shares) {
      const all = shares.reduce((sum, share) => sum + share, 0);
      const mean = kinds.reduce((sum, { drop }, at) => sum + shares[at] * drop, 0) / all;
      return [kinds.map((kind) => ({ ...kind, drop: kind.drop - mean }))];
    },
  };
}

function influenceBounds(parts: readonly InfluencePart[], centre: number, evenness: number, alpha: number): Bounds {
  const count = countOf(parts);
  const mean = totalOf(parts, ({ drop }) => drop) / count;
  const estimate = centre + mean;
  const samples = totalOf(parts, ({ size }) => size);
  const deviations = deviationsOf(parts, ({ drop }) => (drop - mean) / count);
  const different = parts.map(({ changed, size, count: times = 1 }) => ({ sum: changed, size, count: times }));
  const seen = totalOf(parts, ({ changed }) => changed);
  const effect = designEffect(different, seen);
  const hidden = Math.max(effect, unseenEffect(different));
  const independent = totalOf(parts, ({ changeSquared }) => changeSquared) / (count * count);
  const spread = {
    deviations,
    independent,
    changes: totalOf(parts, ({ change }) => change) / count,
    widening: 1 + (hidden / effect - 1) * (1 - seen / samples),
    effective: evenness * count,
  };
  const each = seen === 0 ? 1 : Math.max(0, (estimate * samples) / seen);
  const unseen = clopperPearsonUpper(seen / hidden, samples / hidden, alpha) * each;
  const variance = varianceFrom(deviations);
  return {
    estimate,
    lower: estimate - widthBelow(spread, alpha),
    upper: Math.max(estimate + scoreWidth(spread, alpha), unseen),
    effectiveSamples: variance > 0 ? Math.min(samples, (samples * independent) / variance) : samples,
    freedom: freedomIn(spread),
  };
}
