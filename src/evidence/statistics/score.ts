/** Limits of a drop from what each group adds to it, in closed form. */
import { type Deviations, freedomFrom, varianceFrom } from "./clusters.ts";
import { normalQuantile, studentQuantile } from "./distributions.ts";

export interface Spread {
  /** Of the drop, by group. */
  readonly deviations: Deviations;
  /** What of the variance there would be if samples were independent. */
  readonly independent: number;
  /** Σ of what the samples that changed added, without sign, in units of the metric. */
  readonly changes: number;
  /** How many times larger the variance may be than seen. */
  readonly widening: number;
  /** Equal groups that would weigh as much as these: `effectiveGroups`. */
  readonly effective: number;
}

/**
 * How far above the drop d that was seen its upper limit Δ is: Δ − d = t · s(Δ), s(Δ) being the standard error if the drop
 * were Δ, as in Tango's statistic: a larger drop means more changes, W of them a unit of the metric now and W + Δ − d then,
 * and changes that come in groups vary as their number: s(Δ) = s₀ · (1 + (Δ − d) / W). Where few groups hold what went
 * wrong, t is from the degrees of freedom that they leave, and is widened by twice Johnson's correction for skewness γ
 * (1978: γ·(2t² + 1) / (6√G)) in proportion to the groups' part of the variance. Chosen by simulation; docs/statistics.md
 * has the table.
 */
export function scoreWidth(spread: Spread, alpha: number): number {
  const { deviations, independent, changes, widening } = spread;
  const { square, cube, count } = deviations;
  if (changes === 0 || square === 0) return 0;
  const variance = varianceFrom(deviations);
  const grouped = Math.max(0, 1 - independent / variance);
  const t = studentQuantile(1 - alpha, freedomIn(spread));
  // γ / √G = (Σd³ / (Σd²)^1.5), since γ = √G · Σd³ / (Σd²)^1.5; few groups show too little of it (Joanes and Gill 1998).
  const shown = (count - 2) / Math.sqrt(count * (count - 1));
  const skew = (Math.max(0, cube / square ** 1.5 / shown) * (2 * t * t + 1)) / 6;
  const seen = (t + 2 * grouped * skew) * Math.sqrt(variance);
  const width = Math.max(seen, normalQuantile(1 - alpha) * Math.sqrt(variance * widening));
  return width >= changes ? Number.POSITIVE_INFINITY : width / (1 - width / changes);
}

/** Degrees of freedom: of the deviations as they are, and not more than groups of such weights have. */
export function freedomIn({ deviations, effective }: Spread): number {
  return Math.max(1, Math.min(freedomFrom(deviations), effective - 1));
}

/** The same below the drop. */
export function widthBelow(spread: Spread, alpha: number): number {
  const { deviations } = spread;
  return scoreWidth({ ...spread, deviations: { ...deviations, cube: -deviations.cube } }, alpha);
}
