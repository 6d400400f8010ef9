/** Drops of metrics that are a ratio of sums: errors per character, bits per character. */
import type { Metric } from "../metric.ts";
import { countOf, designEffect, deviationsOf, effectiveGroups, totalOf } from "./clusters.ts";
import type { Outcomes } from "./outcomes.ts";
import { clopperPearsonUpper } from "./proportions.ts";
import type { Bounds, Part, Reduction } from "./reduction.ts";
import { freedomIn, scoreWidth, widthBelow } from "./score.ts";
import { unseenEffect } from "./unseen.ts";

/** Numerators and denominators of both models, summed over a group. */
export interface RatioPart extends Part {
  readonly teacher: number;
  readonly teacherWhole: number;
  readonly compiled: number;
  readonly compiledWhole: number;
  /** Σ over the samples of |compiled − teacher| and its square, numerators only; and samples where it is not 0. */
  readonly change: number;
  readonly changeSquared: number;
  readonly changed: number;
}

export function reduceRatio(
  ratio: NonNullable<Metric["ratio"]>,
  direction: Metric["direction"],
  groups: readonly (readonly Outcomes[])[],
): Reduction<RatioPart> {
  const parts = groups.map((members): RatioPart => {
    let [teacher, teacherWhole, compiled, compiledWhole, change, changeSquared, changed] = [0, 0, 0, 0, 0, 0, 0];
    for (const record of members) {
      const [a, wholeA] = ratio(record.teacher, record.teacher);
      const [b, wholeB] = ratio(record.compiled, record.teacher);
      teacher += a;
      teacherWhole += wholeA;
      compiled += b;
      compiledWhole += wholeB;
      change += Math.abs(b - a);
      changeSquared += (b - a) ** 2;
      if (a !== b) changed++;
    }
    return { size: members.length, teacher, teacherWhole, compiled, compiledWhole, change, changeSquared, changed };
  });
  const sign = direction === "higher" ? 1 : -1;
  const mean = (of: (part: RatioPart) => number) => totalOf(parts, of) / parts.length;
  const [top, whole] = [mean(({ teacher }) => teacher), mean(({ teacherWhole }) => teacherWhole)];
  return {
    method: "score",
    parts,
    surprise: {
      ...{ size: Math.max(1, Math.round(mean(({ size }) => size))), teacher: top, teacherWhole: whole },
      ...{ compiled: top + 1, compiledWhole: whole, change: 1, changeSquared: 1, changed: 1 },
    },
    bounds: (others, alpha) => ratioBounds(others, sign, alpha),
    withoutDrop(kinds, shares) {
      const sum = (of: (part: RatioPart) => number) => kinds.reduce((all, kind, at) => all + shares[at] * of(kind), 0);
      const ofCompiled = sum(({ compiled }) => compiled) / sum((part) => part.compiledWhole);
      const excess = ofCompiled - sum((part) => part.teacher) / sum((part) => part.teacherWhole);
      return [kinds.map((kind) => ({ ...kind, compiled: kind.compiled - excess * kind.compiledWhole }))];
    },
  };
}

function ratioBounds(parts: readonly RatioPart[], sign: number, alpha: number): Bounds {
  const sum = (of: (part: RatioPart) => number) => totalOf(parts, of);
  const samples = sum(({ size }) => size);
  const [wholeA, wholeB] = [sum((part) => part.teacherWhole), sum((part) => part.compiledWhole)];
  const [r, s] = [sum(({ teacher }) => teacher) / wholeA, sum(({ compiled }) => compiled) / wholeB];
  const estimate = sign * (r - s);
  // By how much the drop would be less without the group: Σ a / Σ w changes by (a − r·w) / (W − w).
  const count = countOf(parts);
  const deviations = deviationsOf(parts, (part) => {
    const ofTeacher = (part.teacher - r * part.teacherWhole) / (wholeA - part.teacherWhole);
    const ofCompiled = (part.compiled - s * part.compiledWhole) / (wholeB - part.compiledWhole);
    return (sign * (count - 1) * (ofTeacher - ofCompiled)) / count;
  });
  const different = parts.map(({ changed, size, count = 1 }) => ({ sum: changed, size, count }));
  const seen = sum(({ changed }) => changed);
  const effect = designEffect(different, seen);
  const hidden = Math.max(effect, unseenEffect(different));
  const spread = {
    deviations,
    independent: sum(({ changeSquared }) => changeSquared) / (wholeB * wholeB),
    changes: sum(({ change }) => change) / wholeB,
    widening: 1 + (hidden / effect - 1) * (1 - seen / samples),
    effective: effectiveGroups(parts, ({ teacherWhole }) => teacherWhole),
  };
  const effectiveSamples = samples / hidden;
  // A sample that differs costs at most all of what one sample can cost, or on average what those seen did.
  const each = seen === 0 ? 1 : Math.max(0, (estimate * samples) / seen);
  const unseen = clopperPearsonUpper(seen / hidden, effectiveSamples, alpha) * each;
  return {
    estimate,
    lower: estimate - widthBelow(spread, alpha),
    upper: Math.max(estimate + scoreWidth(spread, alpha), unseen),
    effectiveSamples,
    freedom: freedomIn(spread),
  };
}
