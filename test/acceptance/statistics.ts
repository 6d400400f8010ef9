/**
 * Gates under simulation: data whose samples go wrong together by group, from models whose true drop is known. A model
 * that is exactly as bad as the gate must pass rarely; one without any drop, on as many samples as the plan asks for,
 * nearly always. `--samples` is the number of simulated certifications of each row (10,000).
 */
import { splitMix } from "../../src/data/random.ts";
import { loadMetric } from "../../src/evidence/metric.ts";
import { normalCdf } from "../../src/evidence/statistics/distributions.ts";
import { dropLimits } from "../../src/evidence/statistics/drop.ts";
import type { Outcomes } from "../../src/evidence/statistics/outcomes.ts";
import { planFromPilot, planProportions } from "../../src/evidence/statistics/plan.ts";
import type { Outcome } from "./check.ts";

const RUNS = 10_000;
const ALPHA = 0.05;
const accuracy = await loadMetric("accuracy", "/");
const bits = await loadMetric("bitsPerCharacter", "/");
const auc = await loadMetric("auc", "/");

type Random = () => number;

/** Gamma with mean 1 and the shape given (Marsaglia and Tsang 2000): how much more than others a group goes wrong. */
function frailty(random: Random, shape: number): number {
  if (shape === Number.POSITIVE_INFINITY) return 1;
  if (shape < 1) return frailty(random, shape + 1) * ((shape + 1) / shape) * Math.max(1e-300, random()) ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const x = gaussian(random);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(Math.max(1e-300, random())) < 0.5 * x * x + d - d * v + d * Math.log(v))
      return (d * v) / shape;
  }
}

const gaussian = (random: Random): number =>
  Math.sqrt(-2 * Math.log(Math.max(1e-300, random()))) * Math.cos(2 * Math.PI * random());

interface Case {
  readonly groups: number;
  /** Samples of a group: uniform between 1 and twice this. */
  readonly size: number;
  /** Of the frailty: small means that few groups hold all that goes wrong. */
  readonly shape: number;
  /** The gate. */
  readonly limit: number;
}

const sizeOf = (random: Random, size: number): number => 1 + Math.floor(random() * (2 * size - 1));

/** Right or wrong: both models differ on a share `rate` of the samples either way, the compiled one on `drop` more. */
function answers(random: Random, { groups, size, shape }: Case, rate: number, drop: number): Outcomes[] {
  return Array.from({ length: groups }, (_, group) => {
    const frail = frailty(random, shape);
    return Array.from({ length: sizeOf(random, size) }, () => {
      const draw = random();
      const worse = (rate + drop) * frail;
      const better = rate * frail;
      const outcome = (correct: number) => ({ labels: [correct], correct });
      return {
        group: String(group),
        teacher: outcome(draw >= worse && draw < worse + better ? 0 : 1),
        compiled: outcome(draw < worse ? 0 : 1),
      };
    });
  }).flat();
}

/** Errors in characters of lines: rare and in bursts, in lines of different length, as a recogniser's are. */
function errors(random: Random, { groups, size, shape }: Case, rate: number, drop: number): Outcomes[] {
  return Array.from({ length: groups }, (_, group) => {
    const frail = frailty(random, shape);
    return Array.from({ length: sizeOf(random, size) }, () => {
      const count = 10 + Math.floor(random() * 30);
      // A burst has two characters on average, a line 24.5.
      const bursts = (share: number) => {
        let characters = 0;
        const floor = Math.exp((-share * frail * 24.5) / 2);
        for (let left = random(); left > floor; left *= random()) characters += 1 + Math.floor(random() * 3);
        return characters;
      };
      const shared = bursts(0.03);
      const teacher = shared + bursts(rate);
      const compiled = shared + bursts(rate + drop);
      const outcome = (bits: number) => ({ bits, count, labels: [bits] });
      return { group: String(group), teacher: outcome(teacher), compiled: outcome(compiled) };
    });
  }).flat();
}

/** Scores of two classes 2 apart; the compiled model's have more noise. AUC = Φ(2 / √(2·(1 + noise²))). */
function scores(random: Random, { groups, size }: Case, noise: number): Outcomes[] {
  return Array.from({ length: groups }, (_, group) => {
    const shift = 0.5 * gaussian(random);
    return Array.from({ length: sizeOf(random, size) }, () => {
      const label = random() < 0.5 ? 1 : 0;
      const score = 2 * label + Math.sqrt(0.75) * gaussian(random) + shift;
      return {
        group: String(group),
        teacher: { score, label },
        compiled: { score: score + noise * gaussian(random), label },
      };
    });
  }).flat();
}

const CASES: readonly Case[] = [
  { groups: 1000, size: 1, shape: Number.POSITIVE_INFINITY, limit: 0.01 },
  { groups: 300, size: 8, shape: 1, limit: 0.005 },
  { groups: 60, size: 20, shape: 1, limit: 0.01 },
  { groups: 40, size: 25, shape: 0.5, limit: 0.01 },
  { groups: 20, size: 50, shape: 0.5, limit: 0.02 },
];

export async function* statistics({ samples = RUNS }: { samples?: number } = {}): AsyncIterable<Outcome> {
  for (const each of CASES) {
    yield rare(
      `accuracy, ${named(each)}`,
      samples,
      (random) => upper(accuracy, answers(random, each, each.limit / 2, each.limit), random) <= each.limit,
    );
    yield rare(
      `errors in characters, ${named(each)}`,
      samples,
      (random) => upper(bits, errors(random, each, each.limit / 2, each.limit), random) <= each.limit,
    );
  }
  // The area is Φ(distance / √(sum of both classes' variances)).
  const limit = normalCdf(2 / Math.sqrt(2)) - normalCdf(2 / Math.sqrt(3));
  const wide = { groups: 60, size: 12, shape: 1, limit };
  yield rare(
    `area under the curve, ${named(wide)}`,
    Math.ceil(samples / 10),
    (random) => upper(auc, scores(random, wide, Math.sqrt(0.5)), random) <= wide.limit,
  );
  yield* plans(samples);
}

function* plans(samples: number): Iterable<Outcome> {
  for (const { discordance, limit, size, shape } of [
    { discordance: 0.01, limit: 0.005, size: 1, shape: Number.POSITIVE_INFINITY },
    { discordance: 0.004, limit: 0.003, size: 1, shape: Number.POSITIVE_INFINITY },
    { discordance: 0.02, limit: 0.01, size: 10, shape: 1 },
  ]) {
    const rate = discordance / 2;
    // Differences of a group: variance μ + μ²/shape for the mean μ; a group's size weighs by itself once more.
    const weighted = size + (size * size - size) / (3 * size);
    const effect = 1 + (discordance * weighted) / shape;
    const plan = planProportions({ limit, alpha: ALPHA, groupSize: size }, { discordance, effect })!;
    const each = { groups: plan.groups, size, shape, limit };
    yield often(
      `accuracy, planned ${plan.samples} samples for ${limit}, ${named(each)}`,
      samples,
      (random) => upper(accuracy, answers(random, each, rate, 0), random) <= limit,
    );
  }
  const pilot = { groups: 60, size: 10, shape: 1, limit: 0.005 };
  const influence = influenceOf(errors(splitMix(1), { ...pilot, groups: 400 }, 0.005, 0));
  const plan = planFromPilot({ limit: pilot.limit, alpha: ALPHA }, influence)!;
  const each = { ...pilot, groups: plan.groups };
  yield often(
    `errors in characters, planned ${plan.groups} groups from a pilot`,
    samples,
    (random) => upper(bits, errors(random, each, 0.005, 0), random) <= each.limit,
  );
}

/** What each group adds to the drop in characters. */
function influenceOf(records: readonly Outcomes[]): { sum: number; size: number }[] {
  const groups = new Map<string, { sum: number; size: number }>();
  for (const { group, teacher, compiled } of records as (Outcomes &
    Record<"teacher" | "compiled", CharacterErrors>)[]) {
    const found = groups.get(group) ?? { sum: 0, size: 0 };
    found.sum += compiled.bits - teacher.bits;
    found.size += teacher.count;
    groups.set(group, found);
  }
  return [...groups.values()];
}

interface CharacterErrors {
  readonly bits: number;
  readonly count: number;
}

const named = ({ groups, size, shape, limit }: Case): string =>
  `${groups} groups of ${size}, shape ${shape}, gate ${Number(limit.toPrecision(3))}`;

const upper = (metric: Parameters<typeof dropLimits>[0], records: readonly Outcomes[], random: Random): number =>
  dropLimits(metric, records, { alpha: ALPHA, seed: Math.floor(random() * 2 ** 32) })?.upper ??
  Number.POSITIVE_INFINITY;

function share(runs: number, passes: (random: Random) => boolean): number {
  let count = 0;
  for (let run = 0; run < runs; run++) if (passes(splitMix(run * 7919 + 13))) count++;
  return count / runs;
}

/** Three standard errors of so many runs. */
const noise = (rate: number, runs: number): number => 3 * Math.sqrt((rate * (1 - rate)) / runs);

function rare(name: string, runs: number, passes: (random: Random) => boolean): Outcome {
  const found = share(runs, passes);
  const good = found <= ALPHA + noise(ALPHA, runs);
  return { name: `as bad as the gate: ${name}`, good, says: `${(found * 100).toFixed(2)} % of ${runs} pass` };
}

function often(name: string, runs: number, passes: (random: Random) => boolean): Outcome {
  const found = share(runs, passes);
  return { name: `no drop: ${name}`, good: found >= 0.9, says: `${(found * 100).toFixed(2)} % of ${runs} pass` };
}
