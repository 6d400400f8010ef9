import type { DataArray } from "../../data/dataset.ts";
import { type MetricFactory, numbersIn, outputOf, peak, rowsOf } from "../metric.ts";

interface Outcome {
  readonly label: number;
  readonly answer: number;
}

/**
 * The harmonic mean of precision and recall. Two classes (or one score with `threshold`, 0.5): of the class `positive`
 * (1); more classes: the mean over the classes that occur in the targets or the answers. Options: `output`,
 * `threshold`, `positive`, `average` ("binary" or "macro").
 */
const f1: MetricFactory<Outcome> = ({ output, threshold = 0.5, positive = 1, average }) => {
  const cut = Number(threshold);
  const answerOf = (outputs: ReadonlyMap<string, DataArray>): { answer: number; margin: number } => {
    const array = outputOf(outputs, output);
    const { width } = rowsOf(array);
    if (width === 1)
      return { answer: Number(array.data[0]) >= cut ? 1 : 0, margin: Math.abs(Number(array.data[0]) - cut) };
    const { index, margin } = peak(array, 0, width);
    return { answer: index, margin };
  };
  /** Those whose scores the metric is the mean of. */
  const classesIn = (outcomes: readonly Outcome[]): readonly number[] => {
    const seen = new Set(outcomes.flatMap(({ label, answer }) => [label, answer]));
    const many = average === "macro" || (average === undefined && [...seen].some((label) => label > 1));
    return many ? [...seen] : [Number(positive)];
  };
  return {
    name: "f1",
    direction: "higher",
    needsTarget: true,
    outcome: (outputs, target) => ({ label: numbersIn(target, "f1")[0], answer: answerOf(outputs).answer }),
    combine(outcomes) {
      const scores = classesIn(outcomes).map((label) => scoreOf(outcomes, label));
      return scores.reduce((sum, score) => sum + score, 0) / scores.length;
    },
    // Of one class always: where several count, the best of them.
    chance(outcomes) {
      const classes = classesIn(outcomes);
      const constant = classes.map((answer) =>
        scoreOf(
          outcomes.map(({ label }) => ({ label, answer })),
          answer,
        ),
      );
      return Math.max(...constant) / classes.length;
    },
    influence: (outcomes, _, group) => scoreAndInfluence(outcomes, classesIn(outcomes), group),
    same: (a, b) => ({ equal: a.answer === b.answer ? 1 : 0, total: 1 }),
    confidence: (outputs) => answerOf(outputs).margin,
  };
};
export default f1;

/** 2·TP / (2·TP + FP + FN); 0 where the class is neither there nor answered. */
function scoreOf(outcomes: readonly Outcome[], positive: number): number {
  let [hits, wrong] = [0, 0];
  for (const { label, answer } of outcomes) {
    if (label === positive && answer === positive) hits++;
    else if (label === positive || answer === positive) wrong++;
  }
  return hits === 0 ? 0 : (2 * hits) / (2 * hits + wrong);
}

/**
 * The mean over classes of F = Σ a / Σ w, where a sample that has the class and is answered so has a = w = 2, and one that is
 * either has w = 1: without a group F is less by Σ (a − F·w) over the group's samples, divided by the w of the other groups.
 */
function scoreAndInfluence(outcomes: readonly Outcome[], classes: readonly number[], group: Uint32Array) {
  const [each, faults] = [new Float64Array(outcomes.length), new Float64Array(outcomes.length)];
  const groups = group.reduce((most, number) => Math.max(most, number), 0) + 1;
  const weights = new Float64Array(groups);
  let value = 0;
  for (const label of classes) {
    const whole = new Float64Array(groups);
    let [top, all] = [0, 0];
    outcomes.forEach((outcome, at) => {
      const [a, w] = partsOf(outcome, label);
      top += a;
      all += w;
      whole[group[at]] += w;
    });
    if (all === 0 || whole.includes(all)) return { value: Number.NaN, each, effectiveGroups: 0 };
    const score = top / all;
    value += score / classes.length;
    whole.forEach((weight, number) => {
      weights[number] += weight / all / classes.length;
    });
    outcomes.forEach((outcome, at) => {
      const [a, w] = partsOf(outcome, label);
      each[at] += (a - score * w) / (all - whole[group[at]]) / classes.length;
      faults[at] += (w - a) / all / classes.length;
    });
  }
  return { value, each, faults, effectiveGroups: 1 / weights.reduce((sum, weight) => sum + weight ** 2, 0) };
}

function partsOf({ label, answer }: Outcome, positive: number): readonly [number, number] {
  const [is, answered] = [label === positive, answer === positive];
  return is && answered ? [2, 2] : [0, is || answered ? 1 : 0];
}
