import { equalPlaces, leastMargin, type MetricFactory, outputOf, peak, rowsOf } from "../metric.ts";

interface Outcome {
  readonly labels: readonly number[];
}

/** The share of positions where the largest output is the teacher's. Needs no labels; the teacher itself has 1. */
const agreement: MetricFactory<Outcome> = ({ output }) => ({
  name: "agreement",
  direction: "higher",
  needsTarget: false,
  outcome(outputs) {
    const array = outputOf(outputs, output);
    const { count, width } = rowsOf(array);
    return { labels: Array.from({ length: count }, (_, row) => peak(array, row, width).index) };
  },
  combine(outcomes, reference) {
    let [equal, total] = [0, 0];
    outcomes.forEach((outcome, sample) => {
      const same = equalPlaces(outcome.labels, reference[sample].labels);
      equal += same.equal;
      total += same.total;
    });
    return equal / total;
  },
  ratio(outcome, reference) {
    const { equal, total } = equalPlaces(outcome.labels, reference.labels);
    return [equal, total];
  },
  same: (a, b) => equalPlaces(a.labels, b.labels),
  scores: (outputs) => outputOf(outputs, output),
  confidence: (outputs) => leastMargin(outputOf(outputs, output)),
});
export default agreement;
