/** Which of the plans on the front is built: the cheapest that holds the goal when it is built and measured whole. */
import type { Goal } from "../recipe/schema.ts";
import type { Selection } from "./knapsack.ts";

/** What a plan came to when it was built. */
export interface Measured {
  readonly drop: number;
  readonly ms: number;
}

/**
 * The plans that can be the answer, the cheapest and least accurate first. With a limit of time those within it, by bytes of
 * weights; otherwise by time. Of two plans that cost the same there is only the truer one.
 */
export function chainOf(front: readonly Selection[], limitCycles: number | undefined): Selection[] {
  const primary = limitCycles === undefined ? ({ cycles }: Selection) => cycles : ({ bytes }: Selection) => bytes;
  const secondary = limitCycles === undefined ? ({ bytes }: Selection) => bytes : ({ cycles }: Selection) => cycles;
  const within = front.filter(({ cycles }) => limitCycles === undefined || cycles <= limitCycles);
  const sorted = within.toSorted((a, b) => primary(a) - primary(b) || a.loss - b.loss || secondary(a) - secondary(b));
  const chain: Selection[] = [];
  for (const plan of sorted) if (plan.loss < (chain.at(-1)?.loss ?? Number.POSITIVE_INFINITY)) chain.push(plan);
  return chain;
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
  chain: readonly Selection[],
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
      // Slower than was estimated: the next cheaper one may be in time.
      place--;
      continue;
    } else failed = Math.max(failed, place);
    if (best === undefined || goal.maxDrop === undefined || best - failed <= 1) break;
    place = nextPlace(chain, failed, best, goal.maxDrop, seen);
  }
  return best;
}

/** Where the drop is expected to be the goal's, well between what is known. */
function nextPlace(
  chain: readonly Selection[],
  failed: number,
  best: number,
  maxDrop: number,
  seen: readonly { readonly loss: number; readonly drop: number }[],
): number {
  const slope = dropPerLoss(seen);
  const expected = slope > 0 ? chain.findIndex(({ loss }) => loss * slope <= maxDrop) : -1;
  const span = best - failed;
  const [low, high] = [failed + Math.max(1, Math.floor(span / 8)), best - Math.max(1, Math.floor(span / 8))];
  const guess = expected < 0 ? failed + Math.floor(span / 2) : expected;
  return Math.min(high, Math.max(low, guess));
}

/** Least squares through the origin. */
export function dropPerLoss(seen: readonly { readonly loss: number; readonly drop: number }[]): number {
  const [across, square] = seen.reduce(
    ([a, b], { loss, drop }) => [a + loss * Math.max(0, drop), b + loss * loss],
    [0, 0],
  );
  return square > 0 ? across / square : 0;
}
