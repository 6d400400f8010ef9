/** Why no plan holds a goal, what came nearest, and what would help. */
import { CompileError } from "../error.ts";
import type { Goal } from "../recipe/schema.ts";
import type { Costs, PlanCost } from "./costs.ts";
import type { Judgement } from "./judge.ts";

interface Tried {
  readonly cost: PlanCost;
  readonly judgement: Judgement;
}

const points = (drop: number): string => `${(100 * drop).toFixed(2)} points`;
const time = (ms: number): string => `${Number(ms.toPrecision(4))} ms`;

/** @param widest builds the most accurate uniform plan, whatever its time */
export async function nothingHolds(
  { maxDrop, maxMs }: Goal,
  costs: Costs,
  built: readonly Tried[],
  widest: () => Promise<Tried>,
): Promise<CompileError> {
  const fastest = Object.values(costs.uniform).reduce((least, cost) => (cost.ms < least.ms ? cost : least));
  const inTime = built.filter(({ cost }) => maxMs === undefined || cost.ms <= maxMs);
  if (inTime.length === 0) {
    return new CompileError("gate/goal", `no plan takes ${time(maxMs ?? 0)} or less`, {
      where: `goal.maxMs: the fastest takes about ${time(fastest.ms)}`,
      remedy: `allow ${time(fastest.ms)}, or choose more NPUs, another profile or target, or a smaller teacher`,
    });
  }
  const best = inTime.reduce((least, one) => (one.judgement.drop < least.judgement.drop ? one : least));
  const { drop, metric, samples } = best.judgement;
  const found = `the best found loses ${points(drop)} of ${metric} on ${samples} selection samples, in ${time(best.cost.ms)}`;
  const other = await widest();
  const wide = `with 16-bit activations throughout it is ${points(other.judgement.drop)}, in ${time(other.cost.ms)}`;
  const holds = other.judgement.drop <= (maxDrop ?? Number.POSITIVE_INFINITY);
  const help = holds
    ? `allow ${time(other.cost.ms)}`
    : "no format helps: try quantize.calibrator, more calibration samples or quantize.int16";
  const within = maxMs === undefined ? "" : ` within ${time(maxMs)}`;
  return new CompileError("gate/goal", `no plan loses ${points(maxDrop ?? 0)} or less${within}`, {
    where: `goal: ${found}; ${wide}`,
    remedy: `${help}, or allow a drop of ${Math.max(0, drop).toFixed(4)}`,
  });
}
