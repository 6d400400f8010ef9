/**
 * The threshold of escalation: fixed-sequence testing over all integer thresholds, strictest first (Learn then Test,
 * Angelopoulos, Bates, Candès, Jordan and Lei 2021), so that the choice and the guarantee may use the same data.
 */
import { byGroup } from "../statistics/clusters.ts";
import { shareLimits } from "../statistics/shares.ts";

/** One decision on certification data. */
export interface Decision {
  readonly group: string;
  /** Integer, 0 or more: how sure the program was. */
  readonly margin: number;
  /** What System 1's answer costs, from 0 to 1. */
  readonly loss: number;
}

export interface Limits {
  /** System risk that may be exceeded … */
  readonly alpha: number;
  /** … at most this often over repetitions of the certification. */
  readonly delta: number;
  /** Mean loss of an escalated decision, time-outs included: a stated input, not measured. */
  readonly escalatedLoss: number;
}

export interface Threshold {
  /** Decisions of at least this margin stay with System 1; null: all are escalated. */
  readonly margin: number | null;
  readonly escalationRate: number;
  /** Plug-in system risk on the data: not the bound, which is alpha. */
  readonly risk: number;
  /** Of the threshold; 0 where everything is escalated, for then nothing is estimated. */
  readonly pValue: number;
}

/** Bets as shares of the largest that cannot lose all: from 1 down by √2, and their mean is one bet, too. */
const BETS = Array.from({ length: 13 }, (_, at) => 2 ** (-at / 2));

export interface GroupLoss {
  readonly loss: number;
  readonly size: number;
}

/**
 * p-value of "E[Σ loss] ≥ alpha · E[size]" over independent groups. A bet λ on alpha · size − loss, which is never below
 * −(1 − alpha) · largest, multiplies capital by 1 + λ · (alpha · size − loss) ≥ 0, whose mean is at most 1 under the
 * hypothesis; so is the mean over fixed bets of the products, and by Markov p = 1 / capital (Waudby-Smith and Ramdas
 * 2024). No limit theorem and no order of the groups is used.
 * @param largest a bound on every group's size, of those not seen, too
 */
export function groupPValue(groups: readonly GroupLoss[], alpha: number, largest: number): number {
  let capital = 0;
  for (const share of BETS) {
    const bet = share / ((1 - alpha) * largest);
    let logarithm = 0;
    for (const { loss, size } of groups) logarithm += Math.log(Math.max(0, 1 + bet * (alpha * size - loss)));
    capital += Math.exp(logarithm) / BETS.length;
  }
  return Math.min(1, 1 / capital);
}

/**
 * Walks the thresholds down from "escalate everything" until one is not shown to keep the risk; undefined where even
 * System 2 alone does not. Between two margins that occur, thresholds do the same, so only those are looked at.
 */
export function learnThreshold(decisions: readonly Decision[], limits: Limits): Threshold | undefined {
  const { alpha, delta, escalatedLoss } = limits;
  if (escalatedLoss > alpha) return undefined;
  const members = membersOf(decisions);
  const groups = members.map((all) => ({ loss: all.length * escalatedLoss, size: all.length }));
  const largest = groups.reduce((most, { size }) => Math.max(most, size), 1);
  const placed = members.flatMap((all, group) => all.map(({ margin, loss }) => ({ margin, loss, group })));
  placed.sort((a, b) => b.margin - a.margin);
  let found: Threshold = { margin: null, escalationRate: 1, risk: escalatedLoss, pValue: 0 };
  for (let first = 0; first < placed.length; ) {
    const { margin } = placed[first];
    for (; first < placed.length && placed[first].margin === margin; first++) {
      groups[placed[first].group].loss += placed[first].loss - escalatedLoss;
    }
    const pValue = groupPValue(groups, alpha, largest);
    if (pValue > delta) break;
    const risk = groups.reduce((sum, { loss }) => sum + loss, 0) / placed.length;
    found = { margin, escalationRate: (placed.length - first) / placed.length, risk, pValue };
  }
  return found;
}

/**
 * One-sided limits, each at `alpha`, of the share that a threshold escalates: exact ones, on as many decisions as the groups
 * are worth. Of the threshold as if it had been fixed before; how often the choice by the same data breaks them is simulated
 * (`npm run acceptance -- escalation`).
 */
export function escalationLimits(
  decisions: readonly Decision[],
  { margin: least }: Pick<Threshold, "margin">,
  alpha: number,
): { readonly lower: number; readonly upper: number } {
  const escalates = ({ margin }: Decision) => least === null || margin < least;
  const groups = membersOf(decisions).map((all) => ({ sum: all.filter(escalates).length, size: all.length }));
  const { lower, upper } = shareLimits(groups, alpha);
  return { lower, upper };
}

const membersOf = (decisions: readonly Decision[]) =>
  byGroup(decisions.map((decision) => ({ ...decision, teacher: null, compiled: null })));
