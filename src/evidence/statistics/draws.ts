import { isOneClass, type Metric } from "../metric.ts";
import type { Outcomes } from "./outcomes.ts";

/** One model's metric as a function of how often each group counts; NaN where it has no value for such a draw. */
export function overDraws(
  metric: Metric,
  groups: readonly (readonly Outcomes[])[],
  of: (record: Outcomes) => unknown,
): (weights: Int32Array) => number {
  const records = groups.flat();
  const outcomes = records.map(of);
  const reference = records.map(({ teacher }) => teacher);
  const counts = new Int32Array(records.length);
  const spread = (weights: Int32Array) => {
    let at = 0;
    groups.forEach(({ length }, group) => {
      counts.fill(weights[group], at, at + length);
      at += length;
    });
  };
  const weighted = metric.weighted?.(outcomes, reference);
  if (weighted) {
    return (weights) => {
      spread(weights);
      return weighted(counts);
    };
  }
  return (weights) => {
    spread(weights);
    const repeated = (list: readonly unknown[]) =>
      list.flatMap((each, at) => new Array<unknown>(counts[at]).fill(each));
    try {
      return metric.combine(repeated(outcomes), repeated(reference));
    } catch (error) {
      if (isOneClass(error)) return Number.NaN;
      throw error;
    }
  };
}
