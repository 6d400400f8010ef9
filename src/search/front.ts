/** The plans as a reader gets them: those that no other one beats in accuracy, time and bytes. */
import type { SearchRecord } from "../artifact/lineage.ts";
import type { Goal } from "../recipe/schema.ts";
import { expectationOf, type Priced } from "./choose.ts";
import type { PlanCost } from "./costs.ts";
import type { Judgement } from "./judge.ts";
import type { SearchedFormat } from "./layers.ts";

/** A plan scheduled whole: `cycles` and `bytes` are its own, not estimates. */
export interface Candidate extends Priced {
  readonly plan: readonly SearchedFormat[];
  readonly cost: PlanCost;
  readonly uniform?: SearchedFormat;
}

/** With what became of it. */
export interface Tried extends Candidate {
  readonly measured?: Judgement & PlanCost;
  readonly chosen: boolean;
}

/**
 * Candidates that no other one is at least as good as in loss, cycles and bytes, by time. What was built stays, for its figures;
 * of equals the first.
 */
export function frontOf(candidates: readonly Tried[]): Tried[] {
  const beaten = (one: Tried, at: number) =>
    candidates.some((other, place) => {
      if (other.loss > one.loss || other.cycles > one.cycles || other.bytes > one.bytes) return false;
      const equal = other.loss === one.loss && other.cycles === one.cycles && other.bytes === one.bytes;
      return equal ? place < at : true;
    });
  return candidates
    .filter((one, at) => one.measured !== undefined || !beaten(one, at))
    .sort((a, b) => a.cycles - b.cycles || a.bytes - b.bytes || b.loss - a.loss);
}

interface Parts extends Pick<SearchRecord, "formats" | "distances"> {
  readonly goal: Goal;
  readonly judgement: Judgement;
  /** That layers were tried on. */
  readonly samples: number;
  readonly front: readonly Tried[];
}

/** What is kept of a search beside the artifact. */
export function recordOf({ goal, judgement, samples, front, formats, distances }: Parts): SearchRecord {
  const seen = front.flatMap(({ loss, measured }) => (measured ? [{ loss, drop: measured.drop }] : []));
  const { atNone, perLoss } = expectationOf(seen);
  const { maxDrop, maxMs } = goal;
  return {
    goal: { ...(maxDrop !== undefined && { maxDrop }), ...(maxMs !== undefined && { maxMs }) },
    metric: judgement.metric,
    teacher: judgement.teacher,
    samples: { layers: samples, plans: judgement.samples },
    front: front.map(({ plan, loss, cost, measured, uniform, chosen }) => ({
      layers: countOf(plan),
      loss,
      ...{ cycles: cost.cycles, ms: cost.ms, weightBytes: cost.weightBytes },
      ...(seen.length > 0 && { expectedDrop: atNone + loss * perLoss }),
      ...(measured && { measured: figuresOf(measured) }),
      ...(uniform && { uniform }),
      chosen,
    })),
    formats,
    distances,
  };
}

function figuresOf({ compiled, drop, agreement, cycles, ms, weightBytes }: Judgement & PlanCost) {
  return { compiled, drop, agreement, cycles, ms, weightBytes };
}

function countOf(plan: readonly SearchedFormat[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const format of [...plan].sort()) counts[format] = (counts[format] ?? 0) + 1;
  return counts;
}
