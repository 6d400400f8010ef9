/** How many labels a gate will need, from what a pilot's evidence says of its data, or from assumptions. */
import { CompileError } from "../error.ts";
import type { SampleRecord } from "../evidence/evaluate.ts";
import type { Metric } from "../evidence/metric.ts";
import { byGroup, type GroupSum } from "../evidence/statistics/clusters.ts";
import { dropLimits, dropOver, MIN_GROUPS } from "../evidence/statistics/drop.ts";
import { type DropPlan, planFromPilot, planProportions } from "../evidence/statistics/plan.ts";

export interface PlanLine extends DropPlan {
  readonly gate: string;
  readonly limit: number;
  /** What the count stands on, in words. */
  readonly from: string;
}

export interface Assumptions {
  /** The share of samples that one of the two models answers right and the other does not. */
  readonly discordance: number;
  /** How many times more samples the grouping costs; 1 where samples are independent. */
  readonly effect: number;
  readonly groupSize: number;
}

/** Throws evidence/plan where no number of labels that anybody has would do. */
export function planFromAssumptions(
  gate: string,
  limit: number,
  alpha: number,
  { discordance, effect, groupSize }: Assumptions,
): PlanLine {
  checkLimit(gate, limit);
  const plan = planProportions({ limit, alpha, groupSize }, { discordance, effect });
  const from = `${share(discordance)} of the answers differing, a design effect of ${round(effect)}, groups of ${round(groupSize)}`;
  return { gate, limit, from, ...(plan ?? hopeless(gate, limit)) };
}

/**
 * From a pilot: yes-or-no outcomes by their discordance and design effect; other metrics by the variance of the groups'
 * jackknife values G·θ − (G−1)·θ₋ᵢ (Tukey 1958), of which there are as many as groups.
 */
export function planFromRecords(
  gate: string,
  limit: number,
  alpha: number,
  pilot: { readonly metric: Metric; readonly records: readonly SampleRecord[] },
): PlanLine {
  const { metric, records } = pilot;
  checkLimit(gate, limit);
  const groups = byGroup(records);
  if (groups.length < MIN_GROUPS) {
    throw new CompileError("evidence/pilot", `a pilot of ${groups.length} groups says nothing of others`, {
      where: gate,
      remedy: `Take a pilot of ${MIN_GROUPS} groups or more, or give --discordance.`,
    });
  }
  const groupSize = records.length / groups.length;
  const limits = dropLimits(metric, records, { alpha, seed: 0 });
  if (limits?.method === "tango") {
    const { effectiveSamples } = limits;
    const effect = records.length / effectiveSamples;
    // A pilot without any difference is not one that can have none: at least one is taken for seen.
    const discordance = Math.max(1, discordant(metric, records)) / records.length;
    return planFromAssumptions(gate, limit, alpha, { discordance, effect, groupSize });
  }
  const plan = planFromPilot({ limit, alpha }, pseudoValues(metric, groups)) ?? hopeless(gate, limit);
  const from = `the pilot's ${groups.length} groups of ${round(groupSize)} samples`;
  return { gate, limit, from, ...plan, samples: Math.ceil(plan.groups * groupSize) };
}

function discordant(metric: Metric, records: readonly SampleRecord[]): number {
  const top = (outcome: unknown, reference: unknown) => metric.ratio?.(outcome, reference)[0];
  return records.filter(({ teacher, compiled }) => top(teacher, teacher) !== top(compiled, teacher)).length;
}

function pseudoValues(metric: Metric, groups: readonly (readonly SampleRecord[])[]): GroupSum[] {
  const count = groups.length;
  const { value } = dropOver(metric, groups);
  const weights = new Int32Array(count).fill(1);
  const whole = value(weights);
  return groups.map((_, at) => {
    weights[at] = 0;
    const without = value(weights);
    weights[at] = 1;
    return { sum: count * whole - (count - 1) * without, size: 1 };
  });
}

function checkLimit(gate: string, limit: number): void {
  if (limit > 0 && limit < Number.POSITIVE_INFINITY) return;
  throw new CompileError("usage/plan-limit", `no number of labels shows a drop of at most ${limit}`, {
    where: gate,
    remedy: "A limit of a drop is above zero: what is measured on samples is never known exactly.",
  });
}

function hopeless(gate: string, limit: number): never {
  throw new CompileError("evidence/plan", `not even 100 million labels would do for a limit of ${limit}`, {
    where: gate,
    remedy: "Allow a larger drop, or find data whose groups are more alike.",
  });
}

const share = (value: number): string => `${round(100 * value)} %`;
const round = (value: number): string => String(Number(value.toPrecision(3)));
