/** How much is wrong among the answers that a model is surest of, and whether it is as often right as it says. */
import type { Absent, Bin, CalibrationModel, RiskModel, RiskPoint } from "../report/html/model.ts";
import type { Evidence, EvidenceSample } from "./evidence.ts";

/** Points of a curve in the report; the area is taken over all of them. */
const POINTS = 120;
const BINS = 15;

/** What one answer costs, from 0 to 1 or more; undefined where the metric says nothing about single samples. */
export function lossOf(outcome: Readonly<Record<string, unknown>>): number | undefined {
  const { errors, length, correct, labels } = outcome;
  if (typeof errors === "number" && typeof length === "number") return errors / Math.max(1, length);
  if (typeof correct === "number" && Array.isArray(labels)) return 1 - correct / Math.max(1, labels.length);
  return undefined;
}

const LOSSES: Readonly<Record<string, string>> = {
  accuracy: "the share of answers that are wrong",
  cer: "character errors, over the characters that there are",
};

export function riskOf({ samples, accuracy }: Evidence): RiskModel | Absent {
  const curveOf = (model: "teacher" | "compiled") => {
    const rows = samples.flatMap((sample) => {
      const loss = lossOf(sample[model]);
      return loss === undefined || !sample.confidence ? [] : [{ loss, confidence: sample.confidence[model] }];
    });
    return rows.length === samples.length && rows.length > 0 ? riskCurve(rows) : undefined;
  };
  const [teacher, compiled] = [curveOf("teacher"), curveOf("compiled")];
  if (teacher === undefined || compiled === undefined) {
    return {
      absent: `The metric ${accuracy.metric} says nothing about single samples, so there is no risk to keep low.`,
    };
  }
  return {
    compiled: compiled.points,
    teacher: teacher.points,
    aurc: { compiled: compiled.area, teacher: teacher.area },
    loss: LOSSES[accuracy.metric] ?? "the mean loss of a sample",
    n: samples.length,
  };
}

interface Rated {
  readonly loss: number;
  readonly confidence: number;
}

/**
 * Mean loss of the surest answers, for every share of them that is kept. Answers of equal confidence come and go together.
 * The area is the plug-in AURC: the mean of that curve over the n shares (Geifman and El-Yaniv 2017).
 */
export function riskCurve(rows: readonly Rated[]): { readonly points: readonly RiskPoint[]; readonly area: number } {
  const sorted = [...rows].sort((a, b) => b.confidence - a.confidence);
  const all: RiskPoint[] = [];
  let area = 0;
  let sum = 0;
  for (let first = 0; first < sorted.length; ) {
    let next = first;
    while (next < sorted.length && sorted[next].confidence === sorted[first].confidence) sum += sorted[next++].loss;
    all.push({ coverage: next / sorted.length, risk: sum / next });
    area += ((next - first) * sum) / next;
    first = next;
  }
  const every = Math.max(1, Math.ceil(all.length / POINTS));
  const points = all.filter((_, at) => at % every === every - 1 || at === all.length - 1);
  return { points, area: area / sorted.length };
}

export function calibrationOf({ accuracy, samples }: Evidence): CalibrationModel | Absent {
  const { calibrationError } = accuracy;
  if (calibrationError === undefined) {
    return { absent: "The evidence holds no probabilities of single answers, so nobody can say how honest they are." };
  }
  const [teacher, compiled] = [binsOf(samples, "teacher"), binsOf(samples, "compiled")];
  return {
    before: calibrationError.teacher,
    after: calibrationError.compiled,
    ...(teacher && compiled && { bins: { teacher, compiled } }),
  };
}

/** Equal bins of probability, empty ones left out. */
function binsOf(samples: readonly EvidenceSample[], model: "teacher" | "compiled"): readonly Bin[] | undefined {
  const bins = Array.from({ length: BINS }, () => ({ count: 0, right: 0, probability: 0 }));
  for (const sample of samples) {
    const loss = lossOf(sample[model]);
    if (loss === undefined || !sample.probability) return undefined;
    const probability = sample.probability[model];
    const bin = bins[Math.max(0, Math.min(BINS - 1, Math.floor(probability * BINS)))];
    bin.count++;
    bin.probability += probability;
    if (loss === 0) bin.right++;
  }
  return bins
    .filter(({ count }) => count > 0)
    .map(({ count, right, probability }) => ({ count, right: right / count, probability: probability / count }));
}
