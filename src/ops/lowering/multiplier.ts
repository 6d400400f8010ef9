/**
 * A positive real factor as the integers of a requantization: real ≈ m · 2^(−s), m normalised. The source of the form is
 * TOSA's apply_scale_32 and gemmlowp's quantized multiplier; the search is by bits, so that no `Math.log2` decides.
 */
export interface Multiplier {
  readonly multiplier: number;
  readonly shift: number;
}

const view = new DataView(new ArrayBuffer(8));

/** real = fraction · 2^exponent with 0.5 ≤ fraction < 1, exactly. */
export function splitExponent(real: number): { fraction: number; exponent: number } {
  view.setFloat64(0, real);
  const biased = (view.getUint16(0) >> 4) & 0x7ff;
  if (biased === 0) throw new RangeError(`a scale of ${real} is zero or too small`);
  const exponent = biased - 1022;
  view.setUint16(0, (view.getUint16(0) & 0x800f) | (1022 << 4));
  return { fraction: view.getFloat64(0), exponent };
}

/**
 * `bits` of precision: 31 for the 32-bit accumulator, 15 for the wide one. A factor below 2^−62 becomes zero (every
 * code then is the zero point); one above what shift 2 can say throws RangeError.
 */
export function multiplierOf(real: number, bits: 31 | 15): Multiplier {
  if (real === 0) return { multiplier: 0, shift: bits };
  if (!(real > 0) || !Number.isFinite(real)) throw new RangeError(`a scale of ${real} is not positive and finite`);
  const { fraction, exponent } = splitExponent(real);
  // Beyond shift 62 the multiplier loses bits instead: denormal, but rounded once.
  const kept = Math.min(bits, 62 + exponent);
  if (kept < 0) return { multiplier: 0, shift: bits };
  const rounded = Math.round(fraction * 2 ** kept);
  if (rounded === 0) return { multiplier: 0, shift: bits };
  const carried = rounded === 2 ** bits;
  const multiplier = carried ? rounded / 2 : rounded;
  const shift = kept - exponent - (carried ? 1 : 0);
  if (shift < 2) throw new RangeError(`a scale of ${real} is too large for a requantization`);
  return { multiplier, shift };
}
