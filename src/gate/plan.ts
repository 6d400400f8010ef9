/** How many labels a gate will need, from what a pilot's evidence says of its data, or from assumptions. */
import { CompileError } from "../error.ts";
import type { SampleRecord } from "../evidence/evaluate.ts";
import type { Metric } from "../evidence/metric.ts";
import { byGroup } from "../evidence/statistics/clusters.ts";
import { dropOver, MIN_GROUPS, reductionOf } from "../evidence/statistics/drop.ts";
import { influenceReduction } from "../evidence/statistics/influence.ts";
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

/** From a pilot: the gate is tried on groups drawn from the pilot's, in which neither model is the better one. */
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
  const reduction = reductionOf(metric, groups) ?? pseudoValues(metric, groups);
  const plan = planFromPilot({ limit, alpha }, reduction) ?? hopeless(gate, limit);
  const reserve =
    plan.reserve === undefined ? "" : `, ${round(plan.reserve)} times as many as if these were all there are`;
  const from = `the pilot's ${groups.length} groups of ${round(groupSize)} samples${reserve}`;
  return { gate, limit, from, ...plan };
}

/** Of metrics that say nothing of single samples, from the groups' jackknife values (Tukey 1958): (G − 1)·(θ − θ₋ᵢ). */
function pseudoValues(metric: Metric, groups: readonly (readonly SampleRecord[])[]) {
  const count = groups.length;
  const { value } = dropOver(metric, groups);
  const weights = new Int32Array(count).fill(1);
  const whole = value(weights);
  const parts = groups.map(({ length }, at) => {
    weights[at] = 0;
    const without = value(weights);
    weights[at] = 1;
    const drop = Number.isNaN(without) ? 0 : (count - 1) * (whole - without);
    return { size: length, drop, change: Math.abs(drop), changeSquared: 0, changed: length };
  });
  return influenceReduction(parts, 0, count);
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
