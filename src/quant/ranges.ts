import type { DType, Quant } from "../ir/graph.ts";
import { binCentre, binWidth, type Histogram, total } from "./histogram.ts";

/** How a range of reals is chosen from a histogram. */
export const RANGE_RULES = ["min-max", "percentile", "entropy", "mse"] as const;
export type RangeRule = (typeof RANGE_RULES)[number];

/** A rule for all values, or for each value the one whose range costs the layers behind it least. */
export const CALIBRATORS = [...RANGE_RULES, "auto"] as const;

export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface RangeOptions {
  readonly calibrator: RangeRule;
  /** For `percentile`: the share kept, in percent, split over both tails. */
  readonly percentile: number;
  /** Levels of the grid the range is for: 256 for int8. */
  readonly levels: number;
  /** Grid symmetric about zero. */
  readonly symmetric: boolean;
}

/** The range to quantize; always contains zero, never empty. */
export function chooseRange(histogram: Histogram, options: RangeOptions): Range {
  const widest = withZero(histogram.minimum, histogram.maximum, options.symmetric);
  if (total(histogram) === 0) return { low: 0, high: 1 };
  switch (options.calibrator) {
    case "min-max":
      return widest;
    case "percentile":
      return byPercentile(histogram, options, widest);
    case "entropy": {
      const bins = occupied({ ...histogram, counts: withoutAtoms(histogram.counts) });
      return leastCost(widest, options.symmetric, (range) => divergence(bins, range, options.levels));
    }
    case "mse": {
      const bins = occupied(histogram);
      return leastCost(widest, options.symmetric, (range) => squaredError(bins, range, options.levels));
    }
  }
}

function withZero(low: number, high: number, symmetric: boolean): Range {
  const range = { low: Math.min(0, low), high: Math.max(0, high) };
  if (!symmetric) return range;
  const reach = Math.max(-range.low, range.high);
  return { low: -reach, high: reach };
}

function byPercentile(histogram: Histogram, options: RangeOptions, widest: Range): Range {
  const tail = (total(histogram) * (100 - options.percentile)) / 200;
  const { counts } = histogram;
  let low = 0;
  for (let seen = counts[0]; low < counts.length - 1 && seen <= tail; seen += counts[++low]);
  let high = counts.length - 1;
  for (let seen = counts[high]; high > 0 && seen <= tail; seen += counts[--high]);
  const half = binWidth(histogram) / 2;
  return withZero(
    Math.max(widest.low, binCentre(histogram, low) - half),
    Math.min(widest.high, binCentre(histogram, high) + half),
    options.symmetric,
  );
}

/** Shares of the widest range that are tried, largest first: 80 steps down to a fifth. */
const SHARES = Array.from({ length: 81 }, (_, step) => 1 - step / 100);

/**
 * The range of least cost among shares of the widest: both ends shrink together first, then each alone, since a long tail is
 * mostly on one side. Of equals the widest.
 */
function leastCost(widest: Range, symmetric: boolean, cost: (range: Range) => number): Range {
  let best = widest;
  let least = cost(widest);
  const consider = (range: Range) => {
    const found = cost(range);
    if (found < least) {
      least = found;
      best = range;
    }
  };
  for (const share of SHARES) consider({ low: widest.low * share, high: widest.high * share });
  if (symmetric || widest.low === 0 || widest.high === 0) return best;
  const { low, high } = best;
  for (const share of SHARES) consider({ low: low * share, high });
  const lowest = best.low;
  for (const share of SHARES) consider({ low: lowest, high: high * share });
  return best;
}

interface Bins {
  readonly centres: Float64Array;
  readonly counts: Float64Array;
}

function occupied(histogram: Histogram): Bins {
  const used: number[] = [];
  histogram.counts.forEach((count, index) => {
    if (count > 0) used.push(index);
  });
  return {
    centres: Float64Array.from(used, (index) => binCentre(histogram, index)),
    counts: Float64Array.from(used, (index) => histogram.counts[index]),
  };
}

/** Rounding inside costs step²/12 a value (uniform within a step); clipping costs the squared distance to the end. */
function squaredError({ centres, counts }: Bins, { low, high }: Range, levels: number): number {
  const step = (high - low) / (levels - 1);
  const inside = (step * step) / 12;
  let error = 0;
  for (let index = 0; index < centres.length; index++) {
    const centre = centres[index];
    const beyond = centre < low ? low - centre : centre > high ? centre - high : 0;
    error += counts[index] * (beyond * beyond + inside);
  }
  return error;
}

/**
 * How much is lost by telling values by their codes: the Kullback-Leibler divergence of the histogram, with what lies outside
 * the range added to its ends, from the same with each code's count spread evenly over the occupied bins that have this code
 * (Migacz, "8-bit inference with TensorRT", 2017). What lies outside is only in the former, so clipping costs.
 *
 * Neighbouring bins also differ by chance, and by what few samples are made of, which makes every code look too wide: the least divergence
 * would be where a code is a bin, whatever is cut off. Such differences are as large between neighbours as between distant bins, those of a
 * density that really changes within a code are not: what successive differences tell (von Neumann 1941) is taken off.
 */
function divergence({ centres, counts }: Bins, { low, high }: Range, levels: number): number {
  const step = (high - low) / (levels - 1);
  let [below, above, inside, shapes] = [0, 0, 0, 0];
  const codes: Code[] = [];
  let code = { at: -1, ...NO_CODE };
  for (let index = 0; index < counts.length; index++) {
    const [centre, count] = [centres[index], counts[index]];
    if (centre < low) below += count;
    else if (centre > high) above += count;
    else {
      const at = Math.round((centre - low) / step);
      if (at !== code.at) {
        shapes += shapeLost(code);
        codes.push(code);
        code = { at, ...NO_CODE };
      }
      if (code.bins > 0) code.rough += (count - code.last) ** 2;
      code.bins++;
      code.sum += count;
      code.own += divergent(count, 1);
      code.last = count;
      if (code.bins === 1) code.first = count;
      inside += count;
    }
  }
  shapes += shapeLost(code);
  codes.push(code);
  const whole = inside + below + above;
  const [first, last] = [codes[Math.min(1, codes.length - 1)], code];
  const ends =
    folded(below, first.at === 0 ? first.first : 0, first) +
    folded(above, last.at === levels - 1 ? last.last : 0, last);
  return (ends + shapes) / whole + Math.log(Math.max(1, inside) / whole);
}

/** The occupied bins of one code: how many, the sums of their counts and of these times their logarithms, and of successive differences' squares. */
interface Code {
  readonly at: number;
  readonly bins: number;
  readonly sum: number;
  readonly own: number;
  readonly rough: number;
  readonly first: number;
  readonly last: number;
}

const NO_CODE = { bins: 0, sum: 0, own: 0, rough: 0, first: 0, last: 0 };

/** What counts that were cut off add at an end. One that only holds them has no count of its own: as if one number were there. */
function folded(cut: number, own: number, { sum, bins }: Code): number {
  const told = own > 0 ? sum / bins : 1;
  return divergent(own + cut, told) - divergent(own, told);
}

const divergent = (count: number, told: number): number => (count > 0 ? count * Math.log(count / told) : 0);

/** The divergence of a code's bins from their mean, without what differs from bin to bin. */
function shapeLost({ bins, sum, own, rough }: Code): number {
  if (bins < 2) return 0;
  const mean = sum / bins;
  return Math.max(0, own - sum * Math.log(mean) - rough / (4 * mean));
}

/** So many times what the bins around hold, of so many to either side, is no density but one number again and again. */
const [ATOM, AROUND] = [4, 8];

/**
 * A Relu makes half of all numbers exactly 0, a plain background gives every channel a number that it takes all the time, and
 * saturated functions have plateaus. One number has one code, whatever the codes' width, so such bins count no more than those
 * around them do (their median), times `ATOM`; 0, at a bin's edge, may be on either side of it.
 */
function withoutAtoms(counts: Float64Array): Float64Array {
  const zero = counts.length / 2;
  const plain = Float64Array.from(counts);
  plain[zero] = counts[zero + 1];
  plain[zero - 1] = counts[zero - 2];
  return plain.map((count, index) => {
    if (count === 0) return 0;
    const around = plain.slice(Math.max(0, index - AROUND), index + AROUND + 1).filter((other) => other > 0);
    const median = around.sort()[(around.length - 1) >> 1];
    return count > ATOM * median ? median : count;
  });
}

/** Scale and zero point of a range: int4 and int8 asymmetric, int16 symmetric. Scales are single precision. */
export function quantOf(range: Range, dtype: DType): Quant {
  if (dtype === "int16") {
    const reach = Math.max(-range.low, range.high) || 1;
    return { scale: Float32Array.of(reach / 32767), zeroPoint: Int32Array.of(0) };
  }
  const [lowest, highest] = dtype === "int4" ? [-8, 7] : [-128, 127];
  const width = range.high - range.low || 1;
  const scale = Math.fround(width / (highest - lowest));
  const zero = Math.min(highest, Math.max(lowest, Math.round(lowest - range.low / scale)));
  return { scale: Float32Array.of(scale), zeroPoint: Int32Array.of(zero) };
}

/**
 * The range whose 16 codes err least in the square. A code is so wide that rounding is no noise of step²/12: what is exactly 0, as half
 * of what a Relu leaves, costs nothing, so each bin is rounded.
 */
export function int4Range(histogram: Histogram): Range {
  if (total(histogram) === 0) return { low: 0, high: 1 };
  const { centres, counts } = occupied(histogram);
  return leastCost(withZero(histogram.minimum, histogram.maximum, false), false, (range) => {
    const { scale, zeroPoint } = quantOf(range, "int4");
    const [step, zero] = [scale[0], zeroPoint[0]];
    let error = 0;
    for (let index = 0; index < centres.length; index++) {
      const code = Math.min(7, Math.max(-8, Math.round(centres[index] / step) + zero));
      error += counts[index] * (centres[index] - (code - zero) * step) ** 2;
    }
    return error;
  });
}

/** Codes of a protective grid of 4 bits: −7 to 7, so that the last code of either side is as far. */
const INT4_LEVELS = 15;

/** The grid of 4 bits of least squared error, symmetric. */
export function quantInt4(histogram: Histogram): Quant {
  const options = { calibrator: "mse", percentile: 100, levels: INT4_LEVELS, symmetric: true } as const;
  const { high } = chooseRange(histogram, options);
  return { scale: Float32Array.of((high || 1) / 7), zeroPoint: Int32Array.of(0) };
}
