import { CompileError } from "../../error.ts";
import { equalPlaces, leastMargin, type MetricFactory, numbersIn, outputOf, peak, rowsOf } from "../metric.ts";

interface Outcome {
  /** The class answered at each position. */
  readonly labels: readonly number[];
  readonly correct: number;
  /** The classes that were wanted, where any answer is wrong. */
  readonly targets?: readonly number[];
}

/** The share of positions whose largest output is the target's class. Option `output`: which output. */
const accuracy: MetricFactory<Outcome> = ({ output }) => ({
  name: "accuracy",
  direction: "higher",
  needsTarget: true,
  outcome(outputs, target) {
    const array = outputOf(outputs, output);
    const { count, width } = rowsOf(array);
    const wanted = numbersIn(target, "accuracy");
    if (wanted.length !== count) {
      throw new CompileError(
        "usage/metric-target",
        `${count} answers of ${width} classes, but ${wanted.length} targets`,
        {
          where: "metric accuracy",
          remedy: "a target is the number of its class, one a row of the output",
        },
      );
    }
    const labels = wanted.map((_, row) => peak(array, row, width).index);
    const correct = equalPlaces(labels, wanted).equal;
    return { labels, correct, ...(correct < labels.length && { targets: wanted }) };
  },
  combine(outcomes) {
    let [correct, total] = [0, 0];
    for (const outcome of outcomes) {
      correct += outcome.correct;
      total += outcome.labels.length;
    }
    return correct / total;
  },
  chance: shareOfMostFrequent,
  ratio: ({ correct, labels }) => [correct, labels.length],
  same: (a, b) => equalPlaces(a.labels, b.labels),
  scores: (outputs) => outputOf(outputs, output),
  confidence: (outputs) => leastMargin(outputOf(outputs, output)),
});
export default accuracy;

function shareOfMostFrequent(outcomes: readonly Outcome[]): number | undefined {
  const counts = new Map<number, number>();
  let [most, all] = [0, 0];
  for (const { labels, correct, targets } of outcomes) {
    const wanted = correct === labels.length ? labels : targets;
    if (wanted === undefined) return undefined;
    for (const target of wanted) {
      const count = (counts.get(target) ?? 0) + 1;
      counts.set(target, count);
      most = Math.max(most, count);
      all++;
    }
  }
  return most / all;
}
