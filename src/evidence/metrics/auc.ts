import type { DataArray } from "../../data/dataset.ts";
import { CompileError } from "../../error.ts";
import { type Metric, type MetricFactory, numbersIn, outputOf } from "../metric.ts";

interface Outcome {
  readonly score: number;
  readonly label: number;
}

/**
 * The area under the ROC curve: the chance that a positive sample scores above a negative one, ties counting half.
 * Exact, from ranks. The score is the output's last element (of two classes, the positive one). Options: `output`,
 * `threshold` (0.5: where agreement and confidence cut).
 */
const auc: MetricFactory<Outcome> = ({ output, threshold = 0.5 }) => {
  const scoreOf = (outputs: ReadonlyMap<string, DataArray>): number => {
    const { data } = outputOf(outputs, output);
    return Number(data[data.length - 1]);
  };
  const cut = Number(threshold);
  return {
    name: "auc",
    direction: "higher",
    needsTarget: true,
    outcome: (outputs, target) => ({ score: scoreOf(outputs), label: numbersIn(target, "auc")[0] > 0 ? 1 : 0 }),
    combine: areaUnder,
    chance: () => 0.5,
    weighted: weightedArea,
    influence: areaAndInfluence,
    same: (a, b) => ({ equal: a.score >= cut === b.score >= cut ? 1 : 0, total: 1 }),
    confidence: (outputs) => Math.abs(scoreOf(outputs) - cut),
  };
};
export default auc;

/** Mann–Whitney: (Σ ranks of positives − P(P+1)/2) / (P·N), tied scores sharing their mean rank. */
function areaUnder(outcomes: readonly Outcome[]): number {
  const scores = Float64Array.from(outcomes, ({ score }) => score);
  if (scores.some(Number.isNaN)) return Number.NaN;
  const order = Uint32Array.from(scores, (_, index) => index).sort((a, b) => scores[a] - scores[b]);
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && scores[order[end]] === scores[order[start]]) end++;
    const rank = (start + 1 + end) / 2;
    for (let at = start; at < end; at++) {
      if (outcomes[order[at]].label === 0) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) {
    throw new CompileError("evidence/one-class", "the area under the curve needs samples of both classes", {
      where: `${positives} positive and ${negatives} negative samples`,
      remedy: "certify on data that holds both",
    });
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** The same with weights, after sorting once: Σ over ties of P·(N below + N tied / 2), over P·N. */
function weightedArea(outcomes: readonly Outcome[]): (weights: Int32Array) => number {
  const scores = Float64Array.from(outcomes, ({ score }) => score);
  const order = Uint32Array.from(scores, (_, index) => index).sort((a, b) => scores[a] - scores[b]);
  const broken = scores.some(Number.isNaN);
  return (weights) => {
    let [positives, negatives, area] = [0, 0, 0];
    for (let start = 0; start < order.length; ) {
      let [up, down] = [0, 0];
      const score = scores[order[start]];
      for (; start < order.length && scores[order[start]] === score; start++) {
        const at = order[start];
        if (outcomes[at].label === 0) down += weights[at];
        else up += weights[at];
      }
      area += up * (negatives + down / 2);
      positives += up;
      negatives += down;
    }
    return broken ? Number.NaN : area / (positives * negatives);
  };
}

/**
 * DeLong, DeLong and Clarke-Pearson (1988): a positive sample adds (the share of negatives below it − area) / P, a negative
 * one (the share of positives above it − area) / N, ties counting half; summed over groups, these are what Obuchowski (1997)
 * takes for clustered data. Here P and N are those of the other groups, so that sums are what leaving the group out changes.
 * O(n log n).
 */
function areaAndInfluence(
  outcomes: readonly Outcome[],
  _: readonly Outcome[],
  group: Uint32Array,
): ReturnType<NonNullable<Metric["influence"]>> {
  const count = outcomes.length;
  const scores = Float64Array.from(outcomes, ({ score }) => score);
  const each = new Float64Array(count);
  const groups = group.reduce((most, number) => Math.max(most, number), 0) + 1;
  const [up, down] = [new Float64Array(groups), new Float64Array(groups)];
  let positives = 0;
  for (let at = 0; at < count; at++) {
    if (outcomes[at].label === 0) down[group[at]]++;
    else {
      up[group[at]]++;
      positives++;
    }
  }
  const negatives = count - positives;
  if (scores.some(Number.isNaN) || up.includes(positives) || down.includes(negatives))
    return { value: Number.NaN, each, effectiveGroups: 0 };
  const order = Uint32Array.from(scores, (_score, index) => index).sort((a, b) => scores[a] - scores[b]);
  let [above, below, area] = [positives, 0, 0];
  for (let start = 0; start < count; ) {
    let [end, tied] = [start, 0];
    for (; end < count && scores[order[end]] === scores[order[start]]; end++) {
      if (outcomes[order[end]].label !== 0) tied++;
    }
    const others = end - start - tied;
    above -= tied;
    const [ofPositive, ofNegative] = [(below + others / 2) / negatives, (above + tied / 2) / positives];
    for (let at = start; at < end; at++) each[order[at]] = outcomes[order[at]].label === 0 ? ofNegative : ofPositive;
    area += tied * ofPositive;
    below += others;
    start = end;
  }
  const value = area / positives;
  // Half of each pair in the wrong order is the positive sample's, half the negative one's.
  const faults = each.map((share, at) => (1 - share) / (2 * (outcomes[at].label === 0 ? negatives : positives)));
  for (let at = 0; at < count; at++) {
    const left = outcomes[at].label === 0 ? negatives - down[group[at]] : positives - up[group[at]];
    each[at] = (each[at] - value) / left;
  }
  return { value, each, faults, effectiveGroups: Math.min(evenGroups(up, positives), evenGroups(down, negatives)) };
}

/** (Σ m)² / Σ m². */
const evenGroups = (counts: Float64Array, total: number): number =>
  total ** 2 / counts.reduce((sum, count) => sum + count ** 2, 0);
