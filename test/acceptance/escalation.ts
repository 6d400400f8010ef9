/**
 * Operating points under simulation: groups go wrong together, larger groups more often, and the true system risk of
 * every threshold is known. A certification errs if its threshold's true risk exceeds alpha; 5 in 100 may.
 * `--samples`: simulated certifications of each row (10,000). One JSON line a row.
 */
import { splitMix } from "../../src/data/random.ts";
import { type Decision, escalationLimits, learnThreshold } from "../../src/evidence/escalation/learn-then-test.ts";
import type { AcceptanceOptions, Outcome } from "./check.ts";

const DELTA = 0.05;
const LEVELS = 16;

/** A group is bad with probability `bad`; then it has `largest` members, else one. */
interface Case {
  readonly groups: number;
  readonly alpha: number;
  readonly escalatedLoss: number;
  readonly bad: number;
  readonly largest: number;
}

const CASES: readonly Case[] = [
  { groups: 400, alpha: 0.05, escalatedLoss: 0.01, bad: 0, largest: 1 },
  { groups: 2000, alpha: 0.02, escalatedLoss: 0.005, bad: 0, largest: 1 },
  { groups: 1000, alpha: 0.05, escalatedLoss: 0.01, bad: 0.01, largest: 4 },
  { groups: 1000, alpha: 0.1, escalatedLoss: 0.02, bad: 0.02, largest: 20 },
];

/** Of an answer of this margin in a good group; the whole of a bad group errs together, half of the time. */
const errorRate = (margin: number): number => 0.4 * (1 - margin / LEVELS) ** 2;

function draw(random: () => number, { groups, bad, largest }: Case): Decision[] {
  return Array.from({ length: groups }, (_, group) => {
    const isBad = random() < bad;
    const wrong = random() < 0.5;
    return Array.from({ length: isBad ? largest : 1 }, () => {
      const margin = Math.floor(random() * LEVELS);
      const errs = isBad ? wrong : random() < errorRate(margin);
      return { group: String(group), margin, loss: errs ? 1 : 0 };
    });
  }).flat();
}

function trueRisk({ escalatedLoss, bad, largest }: Case, threshold: number | null): number {
  if (threshold === null) return escalatedLoss;
  const share = (bad * largest) / (bad * largest + 1 - bad);
  let risk = 0;
  for (let margin = 0; margin < LEVELS; margin++) {
    const kept = share * 0.5 + (1 - share) * errorRate(margin);
    risk += (margin >= threshold ? kept : escalatedLoss) / LEVELS;
  }
  return risk;
}

export async function* escalation({ samples = 10_000 }: AcceptanceOptions): AsyncGenerator<Outcome> {
  for (const [at, row] of CASES.entries()) {
    const random = splitMix(7919 + at);
    let [broken, kept, beyond] = [0, 0, 0];
    for (let run = 0; run < samples; run++) {
      const decisions = draw(random, row);
      const found = learnThreshold(decisions, { ...row, delta: DELTA });
      if (found && trueRisk(row, found.margin) > row.alpha) broken++;
      kept += 1 - (found?.escalationRate ?? 1);
      if (found && (found.margin ?? LEVELS) / LEVELS > escalationLimits(decisions, found, DELTA).upper) beyond++;
    }
    const avoided = kept / samples;
    yield {
      name: `alpha ${row.alpha}, ${row.groups} groups, ${row.bad * 100} % of them bad and of ${row.largest}`,
      good: broken <= DELTA * samples,
      figures: { ...row, runs: samples, broken: broken / samples, bar: DELTA, beyond: beyond / samples, avoided },
      says: `${broken} of ${samples} certifications promised what was not kept, ${beyond} escalate more than they say at most; ${(100 * avoided).toFixed(1)} % of calls avoided`,
    };
  }
}
