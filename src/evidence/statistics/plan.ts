/** How much evidence a gate will need, before any is gathered. */
import { splitMix } from "../../data/random.ts";
import { type GroupSum, varianceOfMean } from "./clusters.ts";
import { normalQuantile, studentQuantile } from "./distributions.ts";
import { tangoUpper } from "./proportions.ts";

export interface DropPlan {
  /** Samples, and groups of the size given, that pass the gate with `power` if there is no drop at all. */
  readonly samples: number;
  readonly groups: number;
  readonly power: number;
  readonly alpha: number;
}

export interface PlanInput {
  /** The gate: largest drop allowed. */
  readonly limit: number;
  readonly alpha: number;
  /** 0.9 unless said otherwise. */
  readonly power?: number;
  /** Samples of a group, on average. */
  readonly groupSize?: number;
}

const MOST_SAMPLES = 100_000_000;

/**
 * For yes-or-no outcomes of which the share `discordance` differs between the models, half of it either way: the smallest
 * number of samples for which Tango's limit, on n / `effect` samples, stays below the gate in `power` of the trials.
 * The trials are seeded draws; the first guess is the normal approximation (z_α + z_β)² · discordance / limit².
 */
export function planProportions(
  { limit, alpha, power = 0.9, groupSize = 1 }: PlanInput,
  { discordance, effect = 1 }: { readonly discordance: number; readonly effect?: number },
): DropPlan | undefined {
  const z = normalQuantile(1 - alpha) + normalQuantile(power);
  let samples = Math.max(
    groupSize * 8,
    Math.ceil((z * z * Math.max(discordance, limit / 4)) / (limit * limit)) * effect,
  );
  // The search only goes up: power is not monotone from one count to the next, so ask for a little more than needed.
  while (samples <= MOST_SAMPLES && passing({ limit, alpha, discordance, effect, samples, groupSize }) < power + 0.02)
    samples = Math.ceil(samples * 1.04) + 1;
  if (samples > MOST_SAMPLES) return undefined;
  const groups = Math.ceil(samples / groupSize);
  return { samples: Math.ceil(groups * groupSize), groups, power, alpha };
}

const TRIALS = 4000;

interface Trial {
  readonly limit: number;
  readonly alpha: number;
  readonly discordance: number;
  readonly effect: number;
  readonly samples: number;
  readonly groupSize: number;
}

/** The share of trials without any true drop that pass. Counts of rare differences are Poisson. */
function passing({ limit, alpha, discordance, effect, samples, groupSize }: Trial): number {
  const n = samples / effect;
  const z = studentQuantile(1 - alpha, Math.max(3, samples / groupSize - 1));
  const random = splitMix(Math.round(n) ^ 0x5eed);
  const mean = (n * discordance) / 2;
  const verdicts = new Map<string, boolean>();
  let passed = 0;
  for (let trial = 0; trial < TRIALS; trial++) {
    const worse = poisson(random, mean);
    const better = poisson(random, mean);
    const key = `${worse}/${better}`;
    const known = verdicts.get(key) ?? tangoUpper({ n, worse, better }, z) <= limit;
    verdicts.set(key, known);
    if (known) passed++;
  }
  return passed / TRIALS;
}

/** By inversion in pieces of 16, since e^(−mean) underflows for large means. */
function poisson(random: () => number, mean: number): number {
  let count = 0;
  for (let left = mean; left > 0; left -= 16) {
    const piece = Math.min(16, left);
    for (let product = random(), floor = Math.exp(-piece); product > floor; product *= random()) count++;
  }
  return count;
}

/**
 * For any metric, from a pilot: `influence` has, for each of its groups, what the group adds to the drop (sum) and its
 * samples. As many groups of the pilot's kind that √variance · (t_α + z_β) is the gate.
 */
export function planFromPilot(
  { limit, alpha, power = 0.9 }: PlanInput,
  influence: readonly GroupSum[],
): DropPlan | undefined {
  const variance = varianceOfMean(influence) * influence.length;
  if (!(variance > 0)) return undefined;
  const perGroup = influence.reduce((sum, { size }) => sum + size, 0) / influence.length;
  let groups = 8;
  for (; groups <= MOST_SAMPLES; groups = Math.ceil(groups * 1.02) + 1) {
    // Twice Student's widening, as `bootstrapLimits` has it, and once more for the power.
    const wide = Math.sqrt(groups / (groups - 1)) * studentQuantile(1 - alpha, groups - 1) + normalQuantile(power);
    if (wide * Math.sqrt(variance / groups) <= limit) break;
  }
  return groups > MOST_SAMPLES ? undefined : { samples: Math.ceil(groups * perGroup), groups, power, alpha };
}
