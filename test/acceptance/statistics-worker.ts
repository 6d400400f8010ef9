/** One row of the table: simulated certifications of models whose true drop is known. */
import { splitMix } from "../../src/data/random.ts";
import { flipsOf } from "../../src/evidence/flips.ts";
import { loadMetric, type Metric } from "../../src/evidence/metric.ts";
import { byGroup } from "../../src/evidence/statistics/clusters.ts";
import { dropLimits, reductionOf } from "../../src/evidence/statistics/drop.ts";
import type { Outcomes } from "../../src/evidence/statistics/outcomes.ts";
import { planFromPilot, planProportions } from "../../src/evidence/statistics/plan.ts";
import { metricLimits } from "../../src/evidence/statistics/shares.ts";
import type { SetUp } from "../../src/run/pool.ts";
import {
  answers,
  bits,
  type Detections,
  detections,
  errors,
  expectedArea,
  type Random,
  type Scores,
  type Structure,
  scoreOfDetections,
  scores,
} from "./clustered.ts";

export interface Row {
  readonly promise: "as bad as the gate" | "worse than the gate" | "planned from a pilot" | "planned from assumptions";
  readonly data: DataName;
  readonly structure: Structure;
  readonly runs: number;
}

export interface RowAnswer {
  readonly limit: number;
  readonly pass: number;
  /** What plans asked for: the median. */
  readonly groups?: number;
}

interface Data {
  readonly metric: "accuracy" | "bitsPerCharacter" | "auc" | "f1";
  /** What is gated: `maxDrop` unless it says. Of the compiled model's own metric the gate is `limit` below a perfect one. */
  readonly gate?: "maxHarmfulFlips" | "own metric";
  readonly limit: (structure: Structure) => number;
  /** From models whose drop is so many times the limit. */
  readonly draw: (random: Random, structure: Structure, drop: number) => Outcomes[];
  /** Of yes-or-no outcomes: the share that differs where there is no drop. */
  readonly discordance?: number;
}

export type DataName = keyof typeof DATA;

const right = (limit: number, better: number, both: number): Data => ({
  metric: "accuracy",
  limit: () => limit,
  draw: (random, structure, drop) => answers(random, structure, { drop: drop * limit, better, both }),
  discordance: 2 * better,
});
const characters = (limit: number, better: number): Data => ({
  metric: "bitsPerCharacter",
  limit: () => limit,
  draw: (random, structure, drop) => errors(random, structure, { drop: drop * limit, better, both: 0.02 }),
});
/** The drop in area is not linear in the noise: only where it is the limit, and where there is none. */
const area = (kind: Scores): Data => ({
  metric: "auc",
  limit: (structure) =>
    expectedArea(structure, kind.distance, kind.teacher) - expectedArea(structure, kind.distance, kind.compiled),
  draw: (random, structure, drop) =>
    scores(
      random,
      structure,
      drop === 0 ? { ...kind, teacher: kind.compiled } : { ...kind, compiled: kind.compiled * drop },
    ),
});

const DETECTIONS: Detections = { positive: 0.3, miss: 0.1, alarm: 0.05, turned: 0.02 };
const detection = (drop: number): Detections => ({ ...DETECTIONS, turned: DETECTIONS.turned * drop });

export const DATA = {
  "answers, nearly all right": right(0.01, 0.005, 0.99),
  "answers, never better": right(0.01, 0, 0.99),
  "answers, nearly all wrong": right(0.01, 0.005, 0.02),
  "answers, often different": right(0.03, 0.1, 0.5),
  "character errors": characters(0.01, 0.005),
  "character errors, rare": characters(0.003, 0.0005),
  "bits per character": {
    metric: "bitsPerCharacter",
    limit: () => 0.01,
    draw: (random, structure, drop) => bits(random, structure, { drop: drop * 0.01, spread: 0.02 }),
  },
  "area 0.92, half positive": area({ distance: 2, teacher: 0, compiled: 0.5, positive: 0.5 }),
  "area 0.98, one in ten positive": area({ distance: 3, teacher: 0.1, compiled: 0.5, positive: 0.1 }),
  "F1 of 0.89": {
    metric: "f1",
    limit: () => scoreOfDetections(DETECTIONS).teacher - scoreOfDetections(DETECTIONS).compiled,
    draw: (random, structure, drop) => detections(random, structure, detection(drop)),
  },
  "area of 0.92 itself": {
    metric: "auc",
    gate: "own metric",
    limit: (structure) => 1 - expectedArea(structure, 2, 0.1),
    draw: (random, structure) => scores(random, structure, { distance: 2, teacher: 0, compiled: 0.1, positive: 0.5 }),
  },
  "F1 itself": {
    metric: "f1",
    gate: "own metric",
    limit: () => 1 - scoreOfDetections(DETECTIONS).compiled,
    draw: (random, structure, drop) => detections(random, structure, detection(drop)),
  },
  "character errors themselves": {
    metric: "bitsPerCharacter",
    gate: "own metric",
    limit: () => 0.025,
    draw: (random, structure, drop) => errors(random, structure, { drop: drop * 0.02, better: 0.005, both: 0 }),
  },
  "flips, 2 %": {
    metric: "accuracy",
    gate: "maxHarmfulFlips",
    limit: () => 0.02,
    draw: (random, structure, drop) => answers(random, structure, { drop: drop * 0.02, better: 0, both: 0.9 }),
  },
  "flips, 30 %": {
    metric: "accuracy",
    gate: "maxHarmfulFlips",
    limit: () => 0.3,
    draw: (random, structure, drop) => answers(random, structure, { drop: drop * 0.3, better: 0, both: 0.9 }),
  },
} as const satisfies Readonly<Record<string, Data>>;

const ALPHA = 0.05;
/** Certifications for each plan from a pilot. */
const EACH = 50;

export const setUp: SetUp<undefined, Row, RowAnswer> = async () => {
  const metrics = {
    accuracy: await loadMetric("accuracy", "/"),
    bitsPerCharacter: await loadMetric("bitsPerCharacter", "/"),
    auc: await loadMetric("auc", "/"),
    f1: await loadMetric("f1", "/"),
  };
  return ({ promise, data: name, structure, runs }) => {
    const data: Data = DATA[name];
    const metric = metrics[data.metric];
    const limit = data.limit(structure);
    const passes = (random: Random, groups: number, drop: number): boolean => {
      const records = data.draw(random, { ...structure, groups }, drop);
      return worstOf(data.gate, metric, records, Math.floor(random() * 2 ** 32)) <= limit;
    };
    let passed = 0;
    if (promise === "as bad as the gate" || promise === "worse than the gate") {
      const drop = promise === "as bad as the gate" ? 1 : 1.5;
      for (let run = 0; run < runs; run++) if (passes(splitMix(run * 7919 + 13), structure.groups, drop)) passed++;
      return { limit, pass: passed / runs };
    }
    if (promise === "planned from assumptions") {
      const { size: groupSize, icc } = structure;
      const effect = 1 + (groupSize - 1) * icc;
      const plan = planProportions({ limit, alpha: ALPHA, groupSize }, { discordance: data.discordance ?? 0, effect });
      for (let run = 0; plan && run < runs; run++) if (passes(splitMix(run * 7919 + 13), plan.groups, 0)) passed++;
      return { limit, pass: passed / runs, groups: plan?.groups ?? Number.NaN };
    }
    const asked: number[] = [];
    for (let run = 0; run < runs; ) {
      const random = splitMix(run * 7919 + 13);
      const reduction = reductionOf(metric, byGroup(data.draw(random, structure, 0)));
      const plan = reduction && planFromPilot({ limit, alpha: ALPHA }, reduction);
      asked.push(plan?.groups ?? Number.POSITIVE_INFINITY);
      for (let each = 0; each < EACH && run < runs; each++, run++) if (plan && passes(random, plan.groups, 0)) passed++;
    }
    return { limit, pass: passed / runs, groups: asked.sort((a, b) => a - b)[asked.length >> 1] };
  };
};

/** What the gate compares with its limit; infinite where nothing is known. */
function worstOf(gate: Data["gate"], metric: Metric, records: readonly Outcomes[], seed: number): number {
  if (gate === "maxHarmfulFlips") return flipsOf(metric, records, ALPHA).share.upper;
  if (gate === undefined) return dropLimits(metric, records, { alpha: ALPHA, seed })?.upper ?? Number.POSITIVE_INFINITY;
  const found = metricLimits(metric, byGroup(records), { alpha: ALPHA, seed });
  if (!found) return Number.POSITIVE_INFINITY;
  return metric.direction === "lower" ? found.upper : 1 - found.lower;
}
