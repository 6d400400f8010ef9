/** One row of the table: simulated certifications of models whose true drop is known. */
import { splitMix } from "../../src/data/random.ts";
import { loadMetric } from "../../src/evidence/metric.ts";
import { byGroup } from "../../src/evidence/statistics/clusters.ts";
import { dropLimits, reductionOf } from "../../src/evidence/statistics/drop.ts";
import type { Outcomes } from "../../src/evidence/statistics/outcomes.ts";
import { planFromPilot, planProportions } from "../../src/evidence/statistics/plan.ts";
import type { SetUp } from "../../src/run/pool.ts";
import { answers, bits, dropInArea, errors, type Random, type Scores, type Structure, scores } from "./clustered.ts";

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
  readonly metric: "accuracy" | "bitsPerCharacter" | "auc";
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
  limit: (structure) => dropInArea(structure, kind),
  draw: (random, structure, drop) =>
    scores(
      random,
      structure,
      drop === 0 ? { ...kind, teacher: kind.compiled } : { ...kind, compiled: kind.compiled * drop },
    ),
});

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
} as const satisfies Readonly<Record<string, Data>>;

const ALPHA = 0.05;
/** Certifications for each plan from a pilot. */
const EACH = 100;

export const setUp: SetUp<undefined, Row, RowAnswer> = async () => {
  const metrics = {
    accuracy: await loadMetric("accuracy", "/"),
    bitsPerCharacter: await loadMetric("bitsPerCharacter", "/"),
    auc: await loadMetric("auc", "/"),
  };
  return ({ promise, data: name, structure, runs }) => {
    const data: Data = DATA[name];
    const metric = metrics[data.metric];
    const limit = data.limit(structure);
    const passes = (random: Random, groups: number, drop: number): boolean => {
      const records = data.draw(random, { ...structure, groups }, drop);
      const found = dropLimits(metric, records, { alpha: ALPHA, seed: Math.floor(random() * 2 ** 32) });
      return found !== undefined && found.upper <= limit;
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
