import { splitMix } from "../data/random.ts";
import { CompileError } from "../error.ts";
import type { SampleRecord } from "./evaluate.ts";
import type { Metric } from "./metric.ts";

export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly level: number;
  readonly method: string;
  readonly resamples: number;
}

/** Fewer groups than this say nothing about other groups. */
const MIN_GROUPS = 8;
const LEVEL = 0.95;
/** Outcomes combined in all resamples together; what bounds the time, whatever the number of samples. */
const WORK = 2_000_000;
const MOST_RESAMPLES = 1000;
const LEAST_RESAMPLES = 200;

/**
 * The bootstrap percentile interval of the drop. Whole groups are drawn, since samples of one page, speaker or document
 * go wrong together; both models are evaluated on the same draw, since what they share cancels.
 * @returns undefined with too few groups
 */
export function pairedInterval(
  metric: Metric,
  records: readonly SampleRecord[],
  { seed }: { seed: number },
): Interval | undefined {
  const byGroup = new Map<string, SampleRecord[]>();
  for (const record of records) {
    const members = byGroup.get(record.group);
    if (members) members.push(record);
    else byGroup.set(record.group, [record]);
  }
  const groups = [...byGroup.values()];
  if (groups.length < MIN_GROUPS) return undefined;
  const resamples = Math.max(LEAST_RESAMPLES, Math.min(MOST_RESAMPLES, Math.floor(WORK / records.length)));
  const random = splitMix(seed);
  const drops: number[] = [];
  for (let draw = 0; draw < resamples; draw++) {
    const teacher: unknown[] = [];
    const compiled: unknown[] = [];
    for (let pick = 0; pick < groups.length; pick++) {
      for (const record of groups[Math.floor(random() * groups.length)]) {
        teacher.push(record.teacher);
        compiled.push(record.compiled);
      }
    }
    const drop = dropOf(metric, teacher, compiled);
    if (drop !== undefined) drops.push(drop);
  }
  if (drops.length < LEAST_RESAMPLES / 2) return undefined;
  drops.sort((a, b) => a - b);
  return {
    low: quantile(drops, (1 - LEVEL) / 2),
    high: quantile(drops, (1 + LEVEL) / 2),
    level: LEVEL,
    method: "paired bootstrap by group",
    resamples: drops.length,
  };
}

function dropOf(metric: Metric, teacher: readonly unknown[], compiled: readonly unknown[]): number | undefined {
  try {
    const difference = metric.combine(teacher, teacher) - metric.combine(compiled, teacher);
    return Number.isNaN(difference) ? undefined : metric.direction === "higher" ? difference : -difference;
  } catch (error) {
    if (isOneClass(error)) return undefined;
    throw error;
  }
}

/** Of sorted values, interpolated linearly between neighbours. */
export function quantile(sorted: readonly number[], q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/** Whether a metric had no value because a class is missing: a matter of the draw or the slice, not of the build. */
export function isOneClass(error: unknown): boolean {
  return error instanceof CompileError && error.code === "evidence/one-class";
}
