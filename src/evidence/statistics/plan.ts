/** How much evidence a gate will need, before any is gathered: the gate itself is tried on what may be gathered. */
import { splitMix } from "../../data/random.ts";
import { normalQuantile } from "./distributions.ts";
import { limitsFrom, MIN_GROUPS } from "./drop.ts";
import { type PairPart, pairReduction } from "./pairs.ts";
import type { Part, Reduction } from "./reduction.ts";
import { binomial, gamma } from "./variates.ts";

export interface DropPlan {
  /** Samples, and groups of the size given, that pass the gate with `power` if there is no drop at all. */
  readonly samples: number;
  readonly groups: number;
  readonly power: number;
  readonly alpha: number;
  /** From a pilot: how many times more that is than if the pilot's groups were known to be as all groups are. */
  readonly reserve?: number;
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
/** Parts drawn in all trials of one number of groups, and how many trials that may be; a pilot's have their reserve besides. */
const STEPS = 400_000;
const [LEAST_TRIALS, PILOT_TRIALS, MOST_TRIALS] = [250, 500, 1000];
/** Trials are few, and power is not quite monotone in the number of groups: so much more is asked for. */
const MARGIN = 0.02;
/** Numbers of groups are told this finely. */
const FINENESS = 1.02;

/** Kinds of groups that certification data may have. */
interface Population<T extends Part> {
  readonly reduction: Reduction<T>;
  readonly kinds: readonly T[];
  /** How often a number of groups is tried, at most. */
  readonly trials: number;
  /** How frequent each kind is, up to a factor: known, or drawn from what is believed of it. */
  shares(random: () => number): Float64Array;
}

/**
 * For yes-or-no outcomes of which the share `discordance` differs between the models, beta-binomial in groups of
 * `groupSize` with a design effect of `effect`; each group's differences go either way, as likely.
 */
export function planProportions(
  input: PlanInput,
  { discordance, effect = 1 }: { readonly discordance: number; readonly effect?: number },
): DropPlan | undefined {
  // A design effect takes groups of at least that size.
  const size = Math.ceil(Math.max(1, input.groupSize ?? 1, effect));
  const correlation = size === 1 ? 0 : Math.max(0, Math.min(0.999, (effect - 1) / (size - 1)));
  const shares = betaBinomial(size, discordance, correlation);
  const kinds = Array.from(shares, (_, worse): PairPart => ({ size, worse, better: 0 }));
  const common = kinds.filter((_, at) => shares[at] > 1e-9);
  const known = Float64Array.from(common, ({ worse }) => shares[worse]);
  const population = { reduction: pairReduction([]), kinds: common, trials: MOST_TRIALS, shares: () => known };
  return search(population, { ...input, groupSize: Math.max(input.groupSize ?? 1, effect) });
}

/** Of 0 to `size` yeses: f(k + 1) / f(k) = (n − k)(k + a) / ((k + 1)(n − k − 1 + b)), from the largest outwards. */
function betaBinomial(size: number, mean: number, correlation: number): Float64Array {
  const total = correlation === 0 ? Number.POSITIVE_INFINITY : (1 - correlation) / correlation;
  const ratio = (k: number) => {
    const odds =
      total === Number.POSITIVE_INFINITY ? mean / (1 - mean) : (k + mean * total) / (size - k - 1 + (1 - mean) * total);
    return ((size - k) / (k + 1)) * odds;
  };
  const logs = new Float64Array(size + 1);
  for (let k = 0; k < size; k++) logs[k + 1] = logs[k] + Math.log(ratio(k));
  const most = logs.reduce((largest, each) => Math.max(largest, each), Number.NEGATIVE_INFINITY);
  const shares = logs.map((each) => Math.exp(each - most));
  const sum = shares.reduce((all, each) => all + each, 0);
  return shares.map((each) => each / sum);
}

/**
 * From a pilot, for any gate of a drop: groups of certification data are drawn from the pilot's, with the drop taken out, and
 * the gate is applied. How frequent each of the pilot's groups is, is drawn anew in each trial (the Bayesian bootstrap, Rubin
 * 1981), so the power is a mean over what the pilot leaves open ("assurance": O'Hagan, Stevens and Campbell 2005); one group
 * with a single difference is taken to be possible even where the pilot has none. And as a small pilot shows too little
 * variance more often than too much, the number of groups grows as the variance does up to its upper 90 % limit (Browne 1995
 * takes 80 % where data are normal, which is not enough where a few groups in a hundred hold most of the variance).
 */
export function planFromPilot<T extends Part>(input: PlanInput, reduction: Reduction<T>): DropPlan | undefined {
  const { parts, surprise } = reduction;
  const kinds = new Map<string, { part: T; count: number }>();
  for (const part of parts) {
    const key = JSON.stringify(part);
    const known = kinds.get(key);
    if (known) known.count++;
    else kinds.set(key, { part, count: 1 });
  }
  const found = [...kinds.values(), ...(surprise ? [{ part: surprise, count: 0.5 }] : [])];
  const population: Population<T> = {
    reduction,
    kinds: found.map(({ part }) => part),
    trials: PILOT_TRIALS,
    shares: (random) => Float64Array.from(found, ({ count }) => gamma(random, count)),
  };
  const groupSize = parts.reduce((sum, { size }) => sum + size, 0) / parts.length;
  const plan = search(population, { ...input, groupSize });
  if (!plan) return undefined;
  const { freedom } = reduction.bounds(parts, input.alpha);
  const reserve = varianceLimit(Math.min(freedom, parts.length * KNOWN));
  const groups = Math.ceil(plan.groups * reserve);
  return { ...plan, groups, samples: Math.ceil(groups * groupSize), reserve };
}

/** How seldom the variance may be above the one that is planned for. Chosen by simulation, as `KNOWN` is. */
const RARELY = 0.1;
/** Degrees of freedom of a pilot's variance, at most, for each of its groups: small pilots lack the groups that show a long tail. */
const KNOWN = 0.25;

/** f / χ²(f), the quantile at `RARELY` by Wilson and Hilferty (1931): 1 − 2/(9f) + z·√(2/(9f)), cubed, is χ²/f. */
function varianceLimit(freedom: number): number {
  const part = 2 / (9 * Math.max(3, freedom));
  return (1 - part + normalQuantile(RARELY) * Math.sqrt(part)) ** -3;
}

function search<T extends Part>(
  population: Population<T>,
  { limit, alpha, power = 0.9, groupSize = 1 }: PlanInput,
): DropPlan | undefined {
  const most = MOST_SAMPLES / groupSize;
  const share = Math.min(0.99, power + MARGIN);
  const enough = (groups: number) => passes(population, groups, share, limit, alpha);
  let [low, high] = [MIN_GROUPS - 1, MIN_GROUPS];
  while (!enough(high)) {
    if (high > most) return undefined;
    [low, high] = [high, high * 2];
  }
  while (high > low * FINENESS && high - low > 1) {
    const middle = Math.ceil(Math.sqrt(low * high));
    if (middle === high) break;
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return { samples: Math.ceil(high * groupSize), groups: high, power, alpha };
}

/** Whether this share of the trials passes with so many groups. A trial's draws begin the same for every number of them. */
function passes<T extends Part>(
  { reduction, kinds, trials: most, shares }: Population<T>,
  groups: number,
  share: number,
  limit: number,
  alpha: number,
): boolean {
  const trials = Math.max(LEAST_TRIALS, Math.min(most, Math.floor(STEPS / kinds.length)));
  let [passed, failed] = [0, 0];
  for (let trial = 0; passed < share * trials && failed <= (1 - share) * trials; trial++) {
    const random = splitMix(trial ^ 0x5eed);
    const frequency = shares(random);
    const [one, other] = reduction.withoutDrop(kinds, frequency);
    let rest = frequency.reduce((sum, each) => sum + each, 0);
    let left = groups;
    const drawn: T[] = [];
    for (let kind = 0; kind < kinds.length && left > 0; kind++) {
      const count = kind === kinds.length - 1 ? left : binomial(random, left, frequency[kind] / rest);
      rest -= frequency[kind];
      left -= count;
      const others = other ? binomial(random, count, 0.5) : 0;
      if (count > others) drawn.push({ ...one[kind], count: count - others });
      if (other && others > 0) drawn.push({ ...other[kind], count: others });
    }
    if (limitsFrom(reduction, drawn, alpha).upper <= limit) passed++;
    else failed++;
  }
  return passed >= share * trials;
}
