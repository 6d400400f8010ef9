/** Whether a model is as often right as it says, and how far two models' answers are apart as distributions. */
import type { DataArray } from "../data/dataset.ts";
import { rowsOf } from "./metric.ts";

/** Rows that are non-negative and sum to one, within float32, are probabilities already; others are logits. Into `values`. */
function probabilitiesInto(values: Float64Array, array: DataArray, row: number): Float64Array {
  const data = array.data as ArrayLike<number>;
  const width = values.length;
  let sum = 0;
  let least = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < width; at++) {
    const value = Number(data[row * width + at]);
    values[at] = value;
    sum += value;
    if (value < least) least = value;
    if (value > largest) largest = value;
  }
  if (!(least >= 0 && Math.abs(sum - 1) < 0.02)) {
    sum = 0;
    for (let at = 0; at < width; at++) {
      values[at] = Math.exp(values[at] - largest);
      sum += values[at];
    }
  }
  for (let at = 0; at < width; at++) values[at] /= sum;
  return values;
}

/** No code of 8 or 16 bits tells smaller probabilities from zero. */
const FLOOR = 2 ** -24;

/** Σ p·ln(p/q) in nats, the mean over the rows; p is the teacher's. NaN where the shapes differ. */
export function divergence(teacher: DataArray, compiled: DataArray): number {
  const { count, width } = rowsOf(teacher);
  if (width < 2 || teacher.data.length !== compiled.data.length) return Number.NaN;
  let sum = 0;
  const [p, q] = [new Float64Array(width), new Float64Array(width)];
  for (let row = 0; row < count; row++) {
    probabilitiesInto(p, teacher, row);
    probabilitiesInto(q, compiled, row);
    for (let at = 0; at < width; at++) if (p[at] > 0) sum += p[at] * Math.log(p[at] / Math.max(q[at], FLOOR));
  }
  return sum / Math.max(1, count);
}

/** The probability of the answer: of its least sure row. */
export function answerProbability(array: DataArray): number {
  const { count, width } = rowsOf(array);
  const values = new Float64Array(width);
  let least = 1;
  for (let row = 0; row < count; row++) {
    probabilitiesInto(values, array, row);
    let largest = 0;
    for (let at = 0; at < width; at++) if (values[at] > largest) largest = values[at];
    least = Math.min(least, largest);
  }
  return least;
}

export interface Answer {
  readonly probability: number;
  readonly right: boolean;
}

const BINS = 15;

/** Expected calibration error: Σ over 15 equal bins of |share right − mean probability|, by their size (Guo et al. 2017). */
export function expectedCalibrationError(answers: readonly Answer[]): number {
  const bins = Array.from({ length: BINS }, () => ({ count: 0, right: 0, probability: 0 }));
  for (const { probability, right } of answers) {
    const bin = bins[Math.min(BINS - 1, Math.floor(probability * BINS))];
    bin.count++;
    bin.probability += probability;
    if (right) bin.right++;
  }
  return bins.reduce((sum, { right, probability }) => sum + Math.abs(right - probability), 0) / answers.length;
}
