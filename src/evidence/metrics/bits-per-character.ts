import type { DataArray } from "../../data/dataset.ts";
import { CompileError } from "../../error.ts";
import { equalPlaces, leastMargin, type MetricFactory, numbersIn, outputOf, peak, rowsOf } from "../metric.ts";

interface Outcome {
  readonly bits: number;
  readonly count: number;
  /** The most likely character at each position. */
  readonly labels: readonly number[];
  /** How many characters there are to choose from. */
  readonly classes?: number;
}

/**
 * The mean of −log₂ p(target) over characters; the output holds logits. Options: `output`; `probabilities: true` where
 * it holds probabilities. A negative target is not counted.
 */
const bitsPerCharacter: MetricFactory<Outcome> = ({ output, probabilities = false }) => ({
  name: "bitsPerCharacter",
  direction: "lower",
  needsTarget: true,
  outcome(outputs, target) {
    const array = outputOf(outputs, output);
    const { count, width } = rowsOf(array);
    const wanted = numbersIn(target, "bitsPerCharacter");
    if (wanted.length !== count || wanted.some((label) => label >= width)) {
      const message = `${count} positions of ${width} characters do not fit ${wanted.length} targets`;
      throw new CompileError("usage/metric-target", message, { where: "metric bitsPerCharacter" });
    }
    const counted = wanted.filter((label) => label >= 0).length;
    let bits = 0;
    wanted.forEach((label, row) => {
      if (label >= 0)
        bits += probabilities ? -Math.log2(Number(array.data[row * width + label])) : bitsOf(array, row, width, label);
    });
    return { bits, count: counted, labels: wanted.map((_, row) => peak(array, row, width).index), classes: width };
  },
  combine(outcomes) {
    let [bits, count] = [0, 0];
    for (const outcome of outcomes) {
      bits += outcome.bits;
      count += outcome.count;
    }
    return bits / count;
  },
  chance: ([first]) => (first?.classes === undefined ? undefined : Math.log2(first.classes)),
  ratio: ({ bits, count }) => [bits, count],
  same: (a, b) => equalPlaces(a.labels, b.labels),
  scores: (outputs) => outputOf(outputs, output),
  confidence: (outputs) => leastMargin(outputOf(outputs, output)),
});
export default bitsPerCharacter;

/** log₂ Σ e^(x − max) − (x_label − max)·log₂ e */
function bitsOf(array: DataArray, row: number, width: number, label: number): number {
  const data = array.data as ArrayLike<number>;
  const start = row * width;
  const largest = Number(data[start + peak(array, row, width).index]);
  let sum = 0;
  for (let at = 0; at < width; at++) sum += Math.exp(Number(data[start + at]) - largest);
  return Math.log2(sum) - (Number(data[start + label]) - largest) * Math.LOG2E;
}
