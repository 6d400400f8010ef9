/** What each look at certification data costs. */

/** All looks at one split together pass a model that is worse than its gate at most this often, for each gate. */
export const TOTAL_ALPHA = 0.05;

/**
 * Of `TOTAL_ALPHA`, for the look number `look` (from 1): 6/(π²·look²), which sums to 1 over all looks that there can ever
 * be; so nobody must say beforehand how many there will be (alpha spending: Lan and DeMets 1983; this sequence: Foster and
 * Stine 2008).
 */
export function alphaOfLook(look: number): number {
  return (TOTAL_ALPHA * 6) / (Math.PI * look) ** 2;
}
