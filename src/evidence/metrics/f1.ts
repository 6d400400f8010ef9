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
  return {
    name: "f1",
    direction: "higher",
    needsTarget: true,
    outcome: (outputs, target) => ({ label: numbersIn(target, "f1")[0], answer: answerOf(outputs).answer }),
    combine(outcomes) {
      const seen = new Set(outcomes.flatMap(({ label, answer }) => [label, answer]));
      const many = average === "macro" || (average === undefined && [...seen].some((label) => label > 1));
      if (!many) return scoreOf(outcomes, Number(positive));
      const scores = [...seen].map((label) => scoreOf(outcomes, label));
      return scores.reduce((sum, score) => sum + score, 0) / scores.length;
    },
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
