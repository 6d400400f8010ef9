/** Which of the plans on the front is built: the cheapest that holds the goal when it is built and measured whole. */
import type { Goal } from "../recipe/schema.ts";
import type { Option } from "./knapsack.ts";

/** What a plan came to when it was built. */
export interface Measured {
  readonly drop: number;
  readonly ms: number;
}

/** A plan by what it costs. */
export type Priced = Option;

/**
 * The plans that can be the answer, the cheapest and least accurate first. With a limit of cycles those within it, by bytes of
 * weights and then by time; otherwise by time, in steps of `step` cycles, and then by bytes. A plan that is dearer than another one is there only
 * where it is truer.
 */
export function chainOf<P extends Priced>(plans: readonly P[], step: number, limitCycles?: number): P[] {
  const time = ({ cycles }: P) => Math.round(cycles / step);
  const weight = ({ bytes }: P) => bytes;
  const [first, second] = limitCycles === undefined ? [time, weight] : [weight, time];
  const within = plans.filter(({ cycles }) => limitCycles === undefined || cycles <= limitCycles);
  const sorted = within.toSorted((a, b) => first(a) - first(b) || second(a) - second(b) || a.loss - b.loss);
  const chain: P[] = [];
  for (const plan of sorted) if (plan.loss < (chain.at(-1)?.loss ?? Number.POSITIVE_INFINITY)) chain.push(plan);
  return chain;
}

/** At most `count` of them, evenly, the first and the last among them. */
export function spread<P>(plans: readonly P[], count: number): P[] {
  if (plans.length <= count) return [...plans];
  return Array.from({ length: count }, (_, at) => plans[Math.round((at * (plans.length - 1)) / (count - 1))]);
}

/** Of a difference of two shares, which floating point does not give exactly: 1 − 0.95 is more than 0.05. */
const DUST = 1e-9;

function meets({ maxDrop, maxMs }: Goal, { drop, ms }: Measured): boolean {
  return drop <= (maxDrop ?? Number.POSITIVE_INFINITY) + DUST && ms <= (maxMs ?? Number.POSITIVE_INFINITY);
}

/**
 * Places of a chain to be built and measured, until the cheapest one that holds the goal is between two neighbours or the tries are
 * used up. Measured plans correct the estimate that the drop goes with the loss. Returns the best place, if any held.
 */
export async function narrow(
  chain: readonly Priced[],
  goal: Goal,
  tries: number,
  build: (place: number) => Promise<Measured>,
): Promise<number | undefined> {
  let best: number | undefined;
  // All up to here are known to fail, or to be dearer in what they lose than the goal allows.
  let failed = -1;
  const seen: { readonly loss: number; readonly drop: number }[] = [];
  for (let left = tries, place = chain.length - 1; left > 0 && place > failed; left--) {
    const measured = await build(place);
    seen.push({ loss: chain[place].loss, drop: measured.drop });
    const held = meets(goal, measured);
    if (held) best = place;
    else if (best === undefined && measured.ms > (goal.maxMs ?? Number.POSITIVE_INFINITY)) {
      // Slower than was estimated: the next cheaper one that would be in time if its estimate is as far off.
      place = inTime(chain, place, measured.ms, goal.maxMs ?? 0);
      continue;
    } else failed = Math.max(failed, place);
    if (best === undefined || goal.maxDrop === undefined || best - failed <= 1) break;
    place = nextPlace(chain, failed, best, goal.maxDrop, seen);
  }
  return best;
}

/** The next place below one whose plan took `ms`, where `maxMs` suffices if times are to cycles as they were there; else its neighbour. */
function inTime(chain: readonly Priced[], place: number, ms: number, maxMs: number): number {
  const msPerCycle = ms / Math.max(1, chain[place].cycles);
  const found = chain.slice(0, place).findLastIndex(({ cycles }) => cycles * msPerCycle <= maxMs);
  return found < 0 ? place - 1 : found;
}

/** Where the drop is expected to be the goal's, well between what is known. */
function nextPlace(
  chain: readonly Priced[],
  failed: number,
  best: number,
  maxDrop: number,
  seen: readonly { readonly loss: number; readonly drop: number }[],
): number {
  const { atNone, perLoss } = expectationOf(seen);
  const expected = perLoss > 0 ? chain.findIndex(({ loss }) => atNone + loss * perLoss <= maxDrop) : -1;
  const span = best - failed;
  const [low, high] = [failed + Math.max(1, Math.floor(span / 8)), best - Math.max(1, Math.floor(span / 8))];
  const guess = expected < 0 ? failed + Math.floor(span / 2) : expected;
  return Math.min(high, Math.max(low, guess));
}

/** What a drop is expected to be, as a line over the loss. */
export interface Expectation {
  readonly atNone: number;
  readonly perLoss: number;
}

/**
 * Least squares; of a single plan, the line through it and nothing. What does not grow with the loss is what no format of a layer decides.
 */
export function expectationOf(seen: readonly { readonly loss: number; readonly drop: number }[]): Expectation {
  const count = Math.max(1, seen.length);
  const mean = (of: (one: { readonly loss: number; readonly drop: number }) => number) =>
    seen.reduce((sum, one) => sum + of(one), 0) / count;
  const [loss, drop] = [mean((one) => one.loss), mean((one) => one.drop)];
  const spread = mean((one) => (one.loss - loss) ** 2);
  if (spread === 0) return { atNone: 0, perLoss: loss > 0 ? Math.max(0, drop / loss) : 0 };
  const perLoss = Math.max(0, mean((one) => (one.loss - loss) * (one.drop - drop)) / spread);
  return { atNone: drop - perLoss * loss, perLoss };
}
