/** The few distributions that intervals need: normal, beta, Student's t. Relative error below 1e-10 where tests look. */

/** Φ⁻¹ to start from (Acklam's rational approximation has 1e-9; one step of Halley's method makes it exact). */
const CENTRE_A = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716];
const CENTRE_B = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
const TAIL_C = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734];
const TAIL_D = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
const TAIL = 0.02425;

/** Continued fraction (Lentz) for the incomplete beta function; DLMF 8.17.22. */
function betaFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300;
  const kept = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / kept(1 + even * d);
    c = kept(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / kept(1 + odd * d);
    c = kept(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return fraction;
}

/** ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1) after the argument is raised above 10. */
export function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 10; z++) shift += Math.log(z);
  const inverse = 1 / (z * z);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Regularised incomplete beta I_x(a, b), a and b positive, x in [0, 1]. */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // Where the fraction converges fast: below the mean; the other side by symmetry.
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(a, b, x)) / a : 1 - (front * betaFraction(b, a, 1 - x)) / b;
}

/** x with I_x(a, b) = p. */
export function betaQuantile(p: number, a: number, b: number): number {
  return rootOf((x) => betaCdf(x, a, b) - p, 0, 1);
}

/** Φ(z) = ½ erfc(−z/√2), erfc from the incomplete beta of Student's t is not used: a continued fraction of its own. */
export function normalCdf(z: number): number {
  if (z > 0) return 1 - normalCdf(-z);
  const x = -z;
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (x > 5) {
    // Mills' ratio (DLMF 7.9.1 rescaled): 1/(x + 1/(x + 2/(x + …))).
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / (x + fraction);
    return density / (x + fraction);
  }
  // Φ(−x) = ½ − φ(x)·(x + x³/3 + x⁵/15 + …)
  let term = x;
  let sum = x;
  for (let k = 1; k < 400 && term > 1e-18 * sum; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 - density * sum;
}

const polynomial = (coefficients: readonly number[], x: number, last: number) =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0) * x + last;

/** z with Φ(z) = p. */
export function normalQuantile(p: number): number {
  if (p <= 0) return Number.NEGATIVE_INFINITY;
  if (p >= 1) return Number.POSITIVE_INFINITY;
  if (p > 0.5) return -normalQuantile(1 - p);
  let z: number;
  if (p < TAIL) {
    const q = Math.sqrt(-2 * Math.log(p));
    z = polynomial([...TAIL_C, 4.374664141464968], q, 2.938163982698783) / polynomial(TAIL_D, q, 1);
  } else {
    const q = p - 0.5;
    const r = q * q;
    z = (q * polynomial(CENTRE_A, r, 2.506628277459239)) / polynomial(CENTRE_B, r, 1);
  }
  const error = (normalCdf(z) - p) * Math.sqrt(2 * Math.PI) * Math.exp(0.5 * z * z);
  return z - error / (1 + 0.5 * z * error);
}

/** P(T ≤ t) with `freedom` degrees of freedom; DLMF 8.17 and Student's identity. */
export function studentCdf(t: number, freedom: number): number {
  const tail = 0.5 * betaCdf(freedom / (freedom + t * t), freedom / 2, 0.5);
  return t > 0 ? 1 - tail : tail;
}

/** t with P(T ≤ t) = p. */
export function studentQuantile(p: number, freedom: number): number {
  if (p === 0.5) return 0;
  if (p < 0.5) return -studentQuantile(1 - p, freedom);
  let high = 2;
  while (studentCdf(high, freedom) < p && high < 1e12) high *= 2;
  return rootOf((t) => studentCdf(t, freedom) - p, 0, high);
}

/**
 * The root of an increasing function between `low` and `high`, or the end that is nearer to it: false position, halving the
 * value of an end that stays (Illinois: Dowell and Jarratt 1971), and every third step the middle, so that it always ends.
 */
export function rootOf(rising: (x: number) => number, low: number, high: number): number {
  let [left, right] = [low, high];
  let [below, above] = [rising(left), rising(right)];
  if (below >= 0) return left;
  if (above <= 0) return right;
  let stayed = 0;
  for (let step = 1; step < 300 && right - left > 1e-15 * Math.max(1e-6, Math.abs(left), Math.abs(right)); step++) {
    const middle = (left + right) / 2;
    const guess = right - (above * (right - left)) / (above - below);
    const x = step % 3 !== 0 && guess > left && guess < right ? guess : middle;
    const value = rising(x);
    if (value < 0) {
      [left, below] = [x, value];
      if (stayed < 0) above /= 2;
      stayed = -1;
    } else {
      [right, above] = [x, value];
      if (value === 0) return x;
      if (stayed > 0) below /= 2;
      stayed = 1;
    }
  }
  return (left + right) / 2;
}
