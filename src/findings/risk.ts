/** How much is wrong among the answers that a model is surest of, and whether it is as often right as it says. */
import { type Curve, curveOf } from "../evidence/escalation/curve.ts";
import { lossOf } from "../evidence/escalation/loss.ts";
import type { Absent, Bin, CalibrationModel, OperatingPointModel, RiskModel, RiskPoint } from "../report/html/model.ts";
import type { Evidence, EvidenceSample } from "./evidence.ts";

/** Points of a curve in the report; the areas are taken over all of them. */
const POINTS = 120;
const BINS = 15;

const LOSSES: Readonly<Record<string, string>> = {
  accuracy: "the share of answers that are wrong",
  cer: "character errors, over the characters that there are, at most 1",
};

/**
 * Both models' curves, by the float teacher's confidence and by the compiled model's: the integer margin that the program gave,
 * where each sample has one.
 */
export function riskOf({ samples, accuracy }: Evidence, point?: OperatingPointModel | Absent): RiskModel | Absent {
  const own = samples.every(({ margin }) => margin !== undefined);
  const rated = (model: "teacher" | "compiled") => {
    const rows = samples.flatMap((sample) => {
      const loss = lossOf(sample[model]);
      const confidence = model === "compiled" && own ? sample.margin : sample.confidence?.[model];
      return loss === undefined || confidence === undefined ? [] : [{ loss, confidence }];
    });
    return rows.length === samples.length && rows.length > 0 ? curveOf(rows) : undefined;
  };
  const [teacher, compiled] = [rated("teacher"), rated("compiled")];
  if (teacher === undefined || compiled === undefined) {
    return {
      absent: `The metric ${accuracy.metric} says nothing about single samples, so there is no risk to keep low.`,
    };
  }
  return {
    compiled: pointsOf(compiled),
    teacher: pointsOf(teacher),
    aurc: { compiled: compiled.aurc, teacher: teacher.aurc },
    augrc: { compiled: compiled.augrc, teacher: teacher.augrc },
    by: own ? "margin" : "outputs",
    loss: LOSSES[accuracy.metric] ?? "the mean loss of a sample",
    n: samples.length,
    ...(point && { point }),
  };
}

/** As many as a screen can tell apart; the last is the whole. */
function pointsOf({ steps }: Curve): RiskPoint[] {
  const n = steps.at(-1)?.kept ?? 0;
  const every = Math.max(1, Math.ceil(steps.length / POINTS));
  return steps
    .filter((_, at) => at % every === every - 1 || at === steps.length - 1)
    .map(({ kept, loss }) => ({ coverage: kept / n, risk: loss / kept }));
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
