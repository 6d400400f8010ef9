/** Whether the teacher itself knows anything: a model loses nothing against one that guesses, and is worthless all the same. */
import type { Metric } from "./metric.ts";
import { MIN_GROUPS } from "./statistics/drop.ts";
import type { Outcomes } from "./statistics/outcomes.ts";
import { metricLimits } from "./statistics/shares.ts";

export interface Chance {
  /** The metric of the best answer that looks at no input. */
  readonly value: number;
  /** The least favourable metric of the teacher that the samples do not exclude. */
  readonly teacher: number;
  /** Whether they show that the teacher is better than that. */
  readonly excluded: boolean;
}

/** Undefined where the metric does not say what chance is, or these outcomes do not. With few groups the teacher's own value counts. */
export function chanceOf(
  metric: Metric,
  groups: readonly (readonly Outcomes[])[],
  options: { readonly alpha: number; readonly seed: number },
): Chance | undefined {
  const outcomes = groups.flat().map(({ teacher }) => teacher);
  const value = metric.chance?.(outcomes);
  if (value === undefined || Number.isNaN(value)) return undefined;
  const alone = groups.map((members) => members.map(({ group, teacher }) => ({ group, teacher, compiled: teacher })));
  const limits = groups.length < MIN_GROUPS ? undefined : metricLimits(metric, alone, options);
  const higher = metric.direction === "higher";
  const teacher = (higher ? limits?.lower : limits?.upper) ?? metric.combine(outcomes, outcomes);
  return { value, teacher, excluded: higher ? teacher > value : teacher < value };
}

/** A sentence where the teacher is not shown to be better than chance. */
export function sayChance(metric: string, chance: Chance | undefined): string | undefined {
  if (chance === undefined || chance.excluded) return undefined;
  const [teacher, value] = [chance.teacher, chance.value].map((figure) => Number(figure.toPrecision(4)));
  return `the teacher itself is not shown to be better than chance: ${metric} ${teacher} at worst, and ${value} without looking at the input; that nothing is lost against it says little (minMetric or maxMetric would)`;
}
