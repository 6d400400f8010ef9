/** How much groups may go wrong together where hardly any sample did, so that the samples cannot say. */

import { type GroupSum, totalOf } from "./clusters.ts";
import { logGamma } from "./distributions.ts";

/** Where nothing was seen, groups are taken to go wrong together no more than this; docs/statistics.md says so. */
const MOST_CORRELATION = 0.5;
/** How far below its largest value the logarithm of the likelihood may be: half the square of z at 0.95 (Wilks 1938). */
const LIKELIHOOD_DROP = 1.353;
const STEPS = 40;

/** ln of the rising product x·(x + 1)·…·(x + n − 1). */
const logRising = (x: number, n: number): number => {
  if (n > 8) return logGamma(x + n) - logGamma(x);
  let product = 1;
  for (let at = 0; at < n; at++) product *= x + at;
  return Math.log(product);
};

/**
 * A limit of the design effect 1 + (m − 1)·ρ of rare yeses, m the size of the group of a sample: ρ is the largest
 * intra-class correlation whose beta-binomial likelihood is not far below the best one's. A few yeses, each in a group of its
 * own, hardly exclude that groups go wrong as wholes, and none at all exclude nothing; the variance between groups, which is
 * an estimate of the same, would say that they are independent.
 * @param groups `sum`: yeses
 * @param drop how far below its largest value the logarithm of the likelihood may be
 */
export function unseenEffect(groups: readonly GroupSum[], drop = LIKELIHOOD_DROP): number {
  const size = totalOf(groups, (group) => group.size);
  const spread = totalOf(groups, (group) => group.size ** 2) / size - 1;
  if (spread <= 0) return 1;
  const yes = totalOf(groups, ({ sum }) => sum);
  const share = Math.min(size - 0.5, Math.max(0.5, yes)) / size;
  const kinds = kindsOf(groups);
  const likelihood = (correlation: number): number => {
    const total = (1 - correlation) / correlation;
    const [a, b] = [share * total, (1 - share) * total];
    let sum = 0;
    for (const { sum: k, size: m, count } of kinds) {
      sum += count * (logRising(a, k) + logRising(b, m - k) - logRising(total, m));
    }
    return sum;
  };
  // On a grid, since few yeses make it flat or give it two tops.
  const grid = Array.from({ length: STEPS }, (_, at) => MOST_CORRELATION * ((at + 1) / STEPS) ** 2);
  const values = grid.map(likelihood);
  const alone = totalOf(kinds, ({ sum, size: m }) => sum * Math.log(share) + (m - sum) * Math.log1p(-share));
  const best = values.reduce((most, value) => Math.max(most, value), alone);
  const last = values.findLastIndex((value) => value >= best - drop);
  return 1 + spread * (last < 0 ? 0 : grid[last]);
}

/** Equal groups together; those of one sample say nothing about others of theirs. */
function kindsOf(groups: readonly GroupSum[]): Required<GroupSum>[] {
  const kinds = new Map<number, Required<GroupSum>>();
  for (const { sum, size, count = 1 } of groups) {
    if (size < 2) continue;
    const key = sum * 2 ** 26 + size;
    kinds.set(key, { sum, size, count: count + (kinds.get(key)?.count ?? 0) });
  }
  return [...kinds.values()];
}
