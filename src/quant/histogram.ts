/**
 * A streaming histogram whose result does not depend on the order or the grouping of what it was fed: bins lie on the
 * grid k · 2^(e−11), and when a value falls outside, e grows and neighbours merge in pairs. Since the grids nest, a
 * bin's count is a function of the multiset of values alone; so is a merge of two histograms. Memory is fixed.
 */
export interface Histogram {
  /** Values lie in [−2^exponent, 2^exponent). */
  exponent: number;
  /** 4,096 bins over that range. */
  readonly counts: Float64Array;
  minimum: number;
  maximum: number;
  /** NaN and infinities: counted, not binned. */
  broken: number;
}

const BINS = 4096;
const HALF = BINS / 2;
/** Ranges below 2^−40 are zero to every format that this compiler knows. */
const SMALLEST = -40;

export function emptyHistogram(): Histogram {
  return {
    exponent: SMALLEST,
    counts: new Float64Array(BINS),
    minimum: Number.POSITIVE_INFINITY,
    maximum: Number.NEGATIVE_INFINITY,
    broken: 0,
  };
}

export function binWidth(histogram: Histogram): number {
  return 2 ** histogram.exponent / HALF;
}

/** The value at the middle of bin `index`. */
export function binCentre(histogram: Histogram, index: number): number {
  return (index - HALF + 0.5) * binWidth(histogram);
}

/** Counts every value `weight` times: a whole number, so that counts are exact. Gives the largest finite magnitude. */
export function observe(histogram: Histogram, values: Float32Array, weight = 1): number {
  const { low, high, broken } = extent(values);
  histogram.broken += broken;
  if (low > high) return 0;
  widen(histogram, low, high);
  observeWithin(histogram, broken === 0 ? values : values.filter(Number.isFinite), weight);
  return Math.max(high, -low);
}

/** The same of values that are known to be finite and no larger than what the histogram has seen. */
export function observeWithin({ counts, exponent }: Histogram, values: Float32Array, weight: number): void {
  const factor = HALF / 2 ** exponent;
  for (let index = 0; index < values.length; index++) {
    const place = values[index] * factor;
    // The floor, by truncation: the product is exact, and |place| stays below 2,048.
    const whole = place | 0;
    counts[(place < whole ? whole - 1 : whole) + HALF] += weight;
  }
}

/** Takes note of two values that were there, both finite, without counting them. */
export function widen(histogram: Histogram, low: number, high: number): void {
  const isEmpty = histogram.minimum > histogram.maximum;
  histogram.minimum = Math.min(histogram.minimum, low);
  histogram.maximum = Math.max(histogram.maximum, high);
  let { exponent } = histogram;
  // The larger magnitude itself must lie strictly inside, so that the largest value has a bin.
  while (2 ** exponent <= Math.max(high, -low)) exponent++;
  if (isEmpty) histogram.exponent = exponent;
  else raise(histogram, exponent);
}

/** Smallest and largest finite value, and how many are not finite. */
function extent(values: Float32Array): { low: number; high: number; broken: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  // x − x is 0 for every finite x and NaN for the others: one sum tells whether there are any.
  let test = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value < low) low = value;
    if (value > high) high = value;
    test += value - value;
  }
  if (test === 0) return { low, high, broken: 0 };
  const finite = values.filter(Number.isFinite);
  return { ...extent(finite), broken: values.length - finite.length };
}

/** Adds `other` into `histogram`. */
export function merge(histogram: Histogram, other: Histogram): void {
  histogram.minimum = Math.min(histogram.minimum, other.minimum);
  histogram.maximum = Math.max(histogram.maximum, other.maximum);
  histogram.broken += other.broken;
  raise(histogram, other.exponent);
  const steps = 2 ** (histogram.exponent - other.exponent);
  for (let index = 0; index < BINS; index++) {
    if (other.counts[index] !== 0) histogram.counts[Math.floor((index - HALF) / steps) + HALF] += other.counts[index];
  }
}

/** Merges neighbours until the range is 2^exponent; keeps a range that is as large. */
function raise(histogram: Histogram, exponent: number): void {
  if (exponent <= histogram.exponent) return;
  const steps = 2 ** (exponent - histogram.exponent);
  const merged = new Float64Array(BINS);
  histogram.counts.forEach((count, index) => {
    if (count !== 0) merged[Math.floor((index - HALF) / steps) + HALF] += count;
  });
  histogram.counts.set(merged);
  histogram.exponent = exponent;
}

export function total(histogram: Histogram): number {
  let sum = 0;
  for (const count of histogram.counts) sum += count;
  return sum;
}
