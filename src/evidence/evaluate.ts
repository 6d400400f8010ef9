import { type Answer, expectedCalibrationError } from "./calibration.ts";
import { type Chance, chanceOf } from "./chance.ts";
import { type Flips, flipsOf } from "./flips.ts";
import { isOneClass, type Metric } from "./metric.ts";
import { byGroup } from "./statistics/clusters.ts";
import { type DropLimits, dropLimits, MIN_GROUPS } from "./statistics/drop.ts";
import { metricLimits, type ShareLimits, shareLimits } from "./statistics/shares.ts";

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
  /** What the program said of its own confidence: an integer, of equal codes 0. Absent where it says nothing. */
  readonly margin?: number;
  /** Where answers are classes: the probability that each model gave its own answer, and how far apart the two are. */
  readonly probability?: { readonly teacher: number; readonly compiled: number };
  /** Kullback–Leibler divergence from the teacher, in nats. */
  readonly divergence?: number;
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

/** Two-sided, 95 %. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly level: number;
  readonly method: DropLimits["method"];
}

export interface Slice extends Summary {
  readonly key: string;
  readonly value: string;
  /** Absent where the slice has too few groups to say anything about others. */
  readonly limits?: DropLimits;
}

export interface Evaluation extends Summary {
  /** Of the drop; absent where there are too few groups or the metric cannot be resampled. */
  readonly interval?: Interval;
  /** What gates are judged by: one-sided limits at the alpha that this look at the data has. */
  readonly limits?: DropLimits;
  readonly metricLimits?: ShareLimits;
  /** What the metric would be by chance; absent where it does not say. */
  readonly chance?: Chance;
  readonly agreementLimits: ShareLimits;
  readonly flips: Flips;
  /** Mean Kullback–Leibler divergence from the teacher, in nats. */
  readonly divergence?: number;
  /** Expected calibration error of each model, where samples are right or wrong as wholes. */
  readonly calibrationError?: { readonly teacher: number; readonly compiled: number };
  readonly slices: readonly Slice[];
}

export interface EvaluateOptions {
  /** Fixes the resampling. */
  readonly seed: number;
  /** How often, at most, a gate may be passed by a model that is worse than it: `alphaOfLook`. */
  readonly alpha: number;
}

const LEVEL = 0.95;

/** The metric of both models and what lies between them. */
export function summarise(metric: Metric, records: readonly SampleRecord[]): Summary {
  const teacherOutcomes = records.map(({ teacher }) => teacher);
  const compiledOutcomes = records.map(({ compiled }) => compiled);
  const teacher = metric.combine(teacherOutcomes, teacherOutcomes);
  const compiled = metric.combine(compiledOutcomes, teacherOutcomes);
  const [equal, total] = sameness(metric, records);
  const drop = metric.direction === "higher" ? teacher - compiled : compiled - teacher;
  const groups = new Set(records.map(({ group }) => group)).size;
  return { metric: metric.name, teacher, compiled, drop, n: records.length, groups, agreement: equal / total };
}

function sameness(metric: Metric, records: readonly SampleRecord[]): readonly [equal: number, total: number] {
  let [equal, total] = [0, 0];
  for (const record of records) {
    const same = metric.same(record.teacher, record.compiled);
    equal += same.equal;
    total += same.total;
  }
  return [equal, total];
}

/** The whole evaluation: all samples with the limits that gates need, and each slice. */
export function evaluate(
  metric: Metric,
  records: readonly SampleRecord[],
  { seed, alpha }: EvaluateOptions,
): Evaluation {
  const limits = dropLimits(metric, records, { alpha, seed });
  const both = dropLimits(metric, records, { alpha: (1 - LEVEL) / 2, seed });
  const interval = both && { low: both.lower, high: both.upper, level: LEVEL, method: both.method };
  const groups = byGroup(records);
  const ofMetric = groups.length < MIN_GROUPS ? undefined : metricLimits(metric, groups, { alpha, seed });
  const chance = chanceOf(metric, groups, { alpha, seed });
  const agreeing = groups.map((members) => {
    const [sum, size] = sameness(metric, members);
    return { sum, size };
  });
  return {
    ...summarise(metric, records),
    ...(interval && { interval }),
    ...(limits && { limits }),
    ...(ofMetric && { metricLimits: ofMetric }),
    ...(chance && { chance }),
    agreementLimits: shareLimits(agreeing, alpha),
    flips: flipsOf(metric, records, alpha),
    ...distributionsOf(metric, records),
    slices: slicesOf(metric, records, { seed, alpha }),
  };
}

function distributionsOf(
  metric: Metric,
  records: readonly SampleRecord[],
): Pick<Evaluation, "divergence" | "calibrationError"> {
  const known = records.filter(({ divergence }) => divergence !== undefined && !Number.isNaN(divergence));
  const mean = known.reduce((sum, { divergence = 0 }) => sum + divergence, 0) / known.length;
  const answers = (model: "teacher" | "compiled"): Answer[] =>
    records.flatMap((record) => {
      const right = metric.ratio && isRight(metric, record[model], record.teacher);
      return record.probability && right !== undefined ? [{ probability: record.probability[model], right }] : [];
    });
  const [teacher, compiled] = [answers("teacher"), answers("compiled")];
  return {
    ...(known.length === records.length && { divergence: mean }),
    ...(compiled.length === records.length && {
      calibrationError: {
        teacher: expectedCalibrationError(teacher),
        compiled: expectedCalibrationError(compiled),
      },
    }),
  };
}

/** Whether a sample's answer has no fault; undefined where the metric counts no faults. */
function isRight(metric: Metric, outcome: unknown, reference: unknown): boolean | undefined {
  const [top, bottom] = metric.ratio?.(outcome, reference) ?? [Number.NaN, Number.NaN];
  if (!Number.isInteger(top)) return undefined;
  return metric.direction === "higher" ? top === bottom : top === 0;
}

/** Slices of more values than this are not slices but names. */
const MAX_SLICE_VALUES = 100;

function slicesOf(metric: Metric, records: readonly SampleRecord[], options: EvaluateOptions): readonly Slice[] {
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
  const found: Slice[] = [];
  for (const key of [...byKey.keys()].sort()) {
    const values = byKey.get(key)!;
    if (values.size > MAX_SLICE_VALUES) continue;
    for (const value of [...values.keys()].sort()) {
      const slice = definedSlice(metric, values.get(value)!, options);
      if (slice) found.push({ key, value, ...slice });
    }
  }
  return found;
}

/** A slice may lack a class that the metric needs; then it has no figure. */
function definedSlice(
  metric: Metric,
  records: readonly SampleRecord[],
  options: EvaluateOptions,
): Omit<Slice, "key" | "value"> | undefined {
  try {
    const limits = dropLimits(metric, records, options);
    return { ...summarise(metric, records), ...(limits && { limits }) };
  } catch (error) {
    if (isOneClass(error)) return undefined;
    throw error;
  }
}
