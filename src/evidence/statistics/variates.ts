/** Draws from the distributions that simulations need, each from numbers in [0, 1). */

type Random = () => number;

/** Mean 0, deviation 1 (Box and Muller 1958). */
export const gaussian = (random: Random): number =>
  Math.sqrt(-2 * Math.log(Math.max(1e-300, random()))) * Math.cos(2 * Math.PI * random());

/** Gamma with scale 1 (Marsaglia and Tsang 2000). */
export function gamma(random: Random, shape: number): number {
  if (shape === 1) return -Math.log(Math.max(1e-300, random()));
  if (shape < 1) return gamma(random, shape + 1) * Math.max(1e-300, random()) ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const x = gaussian(random);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(Math.max(1e-300, random())) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** A chance with this mean, beta-distributed so that two draws with it correlate by `correlation` = 1 / (a + b + 1). */
export function chance(random: Random, mean: number, correlation: number): number {
  if (correlation === 0 || mean <= 0 || mean >= 1) return mean;
  const total = (1 - correlation) / correlation;
  const a = gamma(random, mean * total);
  return a / (a + gamma(random, (1 - mean) * total));
}

/** Above so many expected yeses and noes the binomial distribution is drawn as the normal one, rounded. */
const MANY = 40;

/** How many of `count` are yes, each with this chance. */
export function binomial(random: Random, count: number, share: number): number {
  if (share >= 1) return count;
  if (count <= 0 || share <= 0) return 0;
  if (share > 0.5) return count - binomial(random, count, 1 - share);
  const mean = count * share;
  if (mean > MANY) {
    const drawn = Math.round(mean + Math.sqrt(mean * (1 - share)) * gaussian(random));
    return Math.min(count, Math.max(0, drawn));
  }
  // Inversion: the chance of k + 1 is that of k times (n − k) / (k + 1) · p / (1 − p).
  let left = random();
  let term = Math.exp(count * Math.log1p(-share));
  let yes = 0;
  for (; left >= term && yes < count; yes++) {
    left -= term;
    term *= (((count - yes) / (yes + 1)) * share) / (1 - share);
  }
  return yes;
}
