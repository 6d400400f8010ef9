import type { Metric } from "./metric.ts";
import { type Interval, isOneClass, pairedInterval } from "./statistics.ts";

/** One sample's evidence, kept as it is: what is not kept now cannot be computed later. JSON. */
export interface SampleRecord {
  readonly id: string;
  readonly group: string;
  readonly sequence?: string;
  /** Slice key → value. */
  readonly slices: Readonly<Record<string, string>>;
  /** The metric's outcome for each model. */
  readonly teacher: unknown;
  readonly compiled: unknown;
  /** How sure the compiled model was; the teacher's beside it. */
  readonly confidence: { readonly teacher: number; readonly compiled: number };
}

export interface Summary {
  readonly metric: string;
  readonly teacher: number;
  readonly compiled: number;
  /** Positive where the compiled model is worse, whatever the metric's direction. */
  readonly drop: number;
  readonly n: number;
  readonly groups: number;
  /** The share of answers that are the teacher's. */
  readonly agreement: number;
}

export interface Evaluation extends Summary {
  /** Of the drop, 95 %, resampled by group; absent where there are too few groups or the metric cannot be resampled. */
  readonly interval?: Interval;
  readonly slices: readonly (Summary & { readonly key: string; readonly value: string })[];
}

/** The metric of both models and what lies between them. */
export function summarise(metric: Metric, records: readonly SampleRecord[]): Summary {
  const teacherOutcomes = records.map(({ teacher }) => teacher);
  const compiledOutcomes = records.map(({ compiled }) => compiled);
  const teacher = metric.combine(teacherOutcomes, teacherOutcomes);
  const compiled = metric.combine(compiledOutcomes, teacherOutcomes);
  let [equal, total] = [0, 0];
  for (const record of records) {
    const same = metric.same(record.teacher, record.compiled);
    equal += same.equal;
    total += same.total;
  }
  const drop = metric.direction === "higher" ? teacher - compiled : compiled - teacher;
  const groups = new Set(records.map(({ group }) => group)).size;
  return { metric: metric.name, teacher, compiled, drop, n: records.length, groups, agreement: equal / total };
}

/** The whole evaluation: all samples, each slice, and the interval of the drop. `seed` fixes the resampling. */
export function evaluate(metric: Metric, records: readonly SampleRecord[], options: { seed: number }): Evaluation {
  const interval = pairedInterval(metric, records, options);
  return { ...summarise(metric, records), ...(interval && { interval }), slices: slicesOf(metric, records) };
}

/** Slices of more values than this are not slices but names. */
const MAX_SLICE_VALUES = 100;

function slicesOf(metric: Metric, records: readonly SampleRecord[]): Evaluation["slices"] {
  const byKey = new Map<string, Map<string, SampleRecord[]>>();
  for (const record of records) {
    for (const [key, value] of Object.entries(record.slices)) {
      const values = byKey.get(key) ?? new Map<string, SampleRecord[]>();
      byKey.set(key, values);
      const members = values.get(value);
      if (members) members.push(record);
      else values.set(value, [record]);
    }
  }
  const found: (Summary & { key: string; value: string })[] = [];
  for (const key of [...byKey.keys()].sort()) {
    const values = byKey.get(key)!;
    if (values.size > MAX_SLICE_VALUES) continue;
    for (const value of [...values.keys()].sort()) {
      const summary = definedSummary(metric, values.get(value)!);
      if (summary) found.push({ key, value, ...summary });
    }
  }
  return found;
}

/** A slice may lack a class that the metric needs; then it has no figure. */
function definedSummary(metric: Metric, records: readonly SampleRecord[]): Summary | undefined {
  try {
    return summarise(metric, records);
  } catch (error) {
    if (isOneClass(error)) return undefined;
    throw error;
  }
}
