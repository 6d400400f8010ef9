/** Drops of metrics that are a ratio of sums: errors per character, bits per character. */
import type { Metric } from "../metric.ts";
import type { Resampled } from "./bootstrap.ts";
import { freedomFrom } from "./clusters.ts";
import { studentQuantile } from "./distributions.ts";
import type { Outcomes } from "./outcomes.ts";

/** Numerators and denominators of both models, summed over a group. */
interface GroupRatios {
  readonly teacher: number;
  readonly teacherWhole: number;
  readonly compiled: number;
  readonly compiledWhole: number;
  /** Σ over the samples of |compiled − teacher| and its square, numerators only. */
  readonly change: number;
  readonly changeSquared: number;
}

export function ratioSums(
  ratio: NonNullable<Metric["ratio"]>,
  groups: readonly (readonly Outcomes[])[],
): readonly GroupRatios[] {
  return groups.map((members) => {
    let [teacher, teacherWhole, compiled, compiledWhole, change, changeSquared] = [0, 0, 0, 0, 0, 0];
    for (const record of members) {
      const [a, wholeA] = ratio(record.teacher, record.teacher);
      const [b, wholeB] = ratio(record.compiled, record.teacher);
      teacher += a;
      teacherWhole += wholeA;
      compiled += b;
      compiledWhole += wholeB;
      change += Math.abs(b - a);
      changeSquared += (b - a) ** 2;
    }
    return { teacher, teacherWhole, compiled, compiledWhole, change, changeSquared };
  });
}

/** The drop as a function of how often each group counts. */
export function ratioDrop(sums: readonly GroupRatios[], sign: number): Resampled {
  const flat = Float64Array.from(
    sums.flatMap(({ teacher, teacherWhole, compiled, compiledWhole }) => [
      teacher,
      teacherWhole,
      compiled,
      compiledWhole,
    ]),
  );
  const value = (weights: Int32Array): number => {
    let [a, wholeA, b, wholeB] = [0, 0, 0, 0];
    for (let group = 0; group < weights.length; group++) {
      const weight = weights[group];
      a += weight * flat[4 * group];
      wholeA += weight * flat[4 * group + 1];
      b += weight * flat[4 * group + 2];
      wholeB += weight * flat[4 * group + 3];
    }
    return sign * (a / wholeA - b / wholeB);
  };
  return { groups: sums.length, work: sums.length, value };
}

/**
 * The drop Δ with Δ − d = t · s(Δ), s(Δ) being the standard error if the drop were Δ and not the d that was seen, as in
 * Tango's statistic: a larger drop means more changes, W of them a unit of the metric now and W + Δ − d then, and changes
 * that come in groups vary as their number: s(Δ) = s₀ · (1 + (Δ − d) / W). Where few groups hold what went wrong, t is
 * from the degrees of freedom that they leave, and is widened by twice Johnson's correction for skewness γ
 * (1978: γ·(2t² + 1) / (6√G)) in proportion to the groups' part of the variance. Chosen by simulation; docs/statistics.md
 * has the table.
 */
export function scoreUpper(sums: readonly GroupRatios[], direction: Metric["direction"], alpha: number): number {
  const sum = (of: (group: GroupRatios) => number) => sums.reduce((whole, group) => whole + of(group), 0);
  const [wholeA, wholeB] = [sum((group) => group.teacherWhole), sum((group) => group.compiledWhole)];
  const [r, s] = [sum(({ teacher }) => teacher) / wholeA, sum(({ compiled }) => compiled) / wholeB];
  const sign = direction === "higher" ? 1 : -1;
  const drop = sign * (r - s);
  let [square, cube, fourth] = [0, 0, 0];
  for (const group of sums) {
    const first = (group.teacher - r * group.teacherWhole) / wholeA;
    const influence = sign * (first - (group.compiled - s * group.compiledWhole) / wholeB);
    square += influence ** 2;
    cube += influence ** 3;
    fourth += influence ** 4;
  }
  const changes = sum(({ change }) => change) / wholeB;
  if (changes === 0 || square === 0) return drop;
  const count = sums.length;
  const variance = (square * count) / (count - 1);
  const independent = sum(({ changeSquared }) => changeSquared) / (wholeB * wholeB);
  const grouped = Math.max(0, 1 - independent / variance);
  const t = studentQuantile(1 - alpha, freedomFrom(square, fourth, count));
  // γ / √G = (Σd³ / (Σd²)^1.5), since γ = √G · Σd³ / (Σd²)^1.5.
  const skew = (Math.max(0, cube / square ** 1.5) * (2 * t * t + 1)) / 6;
  const width = (t + 2 * grouped * skew) * Math.sqrt(variance);
  return width >= changes ? Number.POSITIVE_INFINITY : drop + width / (1 - width / changes);
}
