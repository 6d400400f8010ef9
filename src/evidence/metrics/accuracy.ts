import { CompileError } from "../../error.ts";
import { equalPlaces, leastMargin, type MetricFactory, numbersIn, outputOf, peak, rowsOf } from "../metric.ts";

interface Outcome {
  /** The class answered at each position. */
  readonly labels: readonly number[];
  readonly correct: number;
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
    return { labels, correct: equalPlaces(labels, wanted).equal };
  },
  combine(outcomes) {
    let [correct, total] = [0, 0];
    for (const outcome of outcomes) {
      correct += outcome.correct;
      total += outcome.labels.length;
    }
    return correct / total;
  },
  ratio: ({ correct, labels }) => [correct, labels.length],
  same: (a, b) => equalPlaces(a.labels, b.labels),
  scores: (outputs) => outputOf(outputs, output),
  confidence: (outputs) => leastMargin(outputOf(outputs, output)),
});
export default accuracy;
