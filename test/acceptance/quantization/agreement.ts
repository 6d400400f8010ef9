import type { Metric } from "../../../src/evidence/metric.ts";
import { editDistance } from "../../../src/evidence/metrics/cer.ts";

/** How many of so many answers are the teacher's. */
export interface Equal {
  readonly equal: number;
  readonly total: number;
}

interface Text {
  readonly text: string;
}

/** Answers that two models share; of texts the teacher's characters that need no edit. */
export function equalAnswers(metric: Metric, teacher: unknown, compiled: unknown): Equal {
  if (metric.name !== "cer") return metric.same(teacher, compiled);
  const [wanted, found] = [(teacher as Text).text, (compiled as Text).text];
  const total = [...wanted].length;
  return { equal: Math.max(0, total - editDistance(wanted, found)), total };
}

/** Agreement with the teacher as a metric over `Equal`s: the teacher has 1, so that its drop is the share that differs. */
export const AGREEMENT: Metric = {
  name: "agreement",
  direction: "higher",
  needsTarget: false,
  outcome: (outputs) => outputs,
  combine: (outcomes) => shareOf(outcomes as Equal[]),
  ratio: (outcome) => [(outcome as Equal).equal, (outcome as Equal).total],
  same: (a, b) => ({ equal: (a as Equal).equal === (b as Equal).equal ? 1 : 0, total: 1 }),
  confidence: () => 0,
};

export function shareOf(list: readonly Equal[]): number {
  const [equal, total] = list.reduce(([a, b], each) => [a + each.equal, b + each.total], [0, 0]);
  return equal / total;
}
