/** Whole numbers between two bounds. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export function hull(a: Interval, b: Interval): Interval {
  return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

export function shifted({ low, high }: Interval, by: number): Interval {
  return { low: low + by, high: high + by };
}

export function plus(a: Interval, b: Interval): Interval {
  return { low: a.low + b.low, high: a.high + b.high };
}

export function times(a: Interval, b: Interval): Interval {
  const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high].map((corner) => corner || 0);
  return { low: Math.min(...corners), high: Math.max(...corners) };
}

export function scaled(a: Interval, factor: number): Interval {
  return times(a, { low: factor, high: factor });
}

/** With 0: what terms can be that may be absent, and every sum of some of them. */
export function withZero({ low, high }: Interval): Interval {
  return { low: Math.min(low, 0), high: Math.max(high, 0) };
}

export function clampedTo(a: Interval, to: Interval): Interval {
  const clamp = (value: number) => Math.min(Math.max(value, to.low), to.high);
  return { low: clamp(a.low), high: clamp(a.high) };
}

export function magnitudeOf({ low, high }: Interval): number {
  return Math.max(-low, high);
}

/** Bits of the smallest two's complement register that holds both bounds and their negatives. */
export function bitsOf(interval: Interval): number {
  const most = magnitudeOf(interval);
  if (!Number.isFinite(most)) return Number.POSITIVE_INFINITY;
  let bits = 1;
  for (let reach = 1; reach <= most; reach *= 2) bits++;
  return bits;
}
