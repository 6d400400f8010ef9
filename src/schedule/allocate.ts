/** Where in a memory things lie that live for a while: intervals of time × bytes, packed. */

export interface Lifetime {
  readonly bytes: number;
  /** First and last moment at which the bytes are in use, both included. */
  readonly first: number;
  readonly last: number;
}

export interface Allocation {
  /** In the order of the lifetimes given. */
  readonly addresses: readonly number[];
  readonly peakBytes: number;
  /** The largest sum of bytes in use at one moment: no allocation has a lower peak. */
  readonly lowerBoundBytes: number;
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** The sum of bytes in use at every moment from 0 to `moments` − 1. */
export function liveBytes(lifetimes: readonly Lifetime[], moments: number): Float64Array {
  const live = new Float64Array(moments + 1);
  for (const { bytes, first, last } of lifetimes) {
    live[first] += bytes;
    live[last + 1] -= bytes;
  }
  for (let moment = 1; moment <= moments; moment++) live[moment] += live[moment - 1];
  return live.subarray(0, moments);
}

type Order = (a: Lifetime, b: Lifetime) => number;
const span = (lifetime: Lifetime) => lifetime.last - lifetime.first + 1;

/** Ties are broken by place in the list, so that the result depends on nothing else. */
const ORDERS: readonly Order[] = [
  (a, b) => b.bytes - a.bytes,
  (a, b) => b.bytes * span(b) - a.bytes * span(a),
  (a, b) => span(b) - span(a) || b.bytes - a.bytes,
  (a, b) => a.first - b.first || b.bytes - a.bytes,
];

/** First fit at the lowest address, in one order. */
function firstFit(lifetimes: readonly Lifetime[], order: readonly number[]): { addresses: number[]; peak: number } {
  const addresses = new Array<number>(lifetimes.length).fill(0);
  const placed: number[] = [];
  let peak = 0;
  for (const index of order) {
    const { bytes, first, last } = lifetimes[index];
    let address = 0;
    // `placed` is sorted by address: the first gap that is large enough wins.
    for (const other of placed) {
      const lifetime = lifetimes[other];
      if (lifetime.last < first || last < lifetime.first) continue;
      if (addresses[other] - address >= bytes) break;
      address = Math.max(address, addresses[other] + lifetime.bytes);
    }
    addresses[index] = address;
    peak = Math.max(peak, address + bytes);
    let at = placed.length;
    while (at > 0 && addresses[placed[at - 1]] > address) at--;
    placed.splice(at, 0, index);
  }
  return { addresses, peak };
}

/**
 * Addresses for all lifetimes, none overlapping another that lives at the same time; sizes are rounded up to `alignment`.
 * First fit in several orders, the best of them; stops at one that meets the lower bound.
 */
export function allocate(given: readonly Lifetime[], alignment = 64): Allocation {
  const lifetimes = given.map((lifetime) => ({ ...lifetime, bytes: alignUp(lifetime.bytes, alignment) }));
  const moments = lifetimes.reduce((most, { last }) => Math.max(most, last + 1), 0);
  const lowerBoundBytes = liveBytes(lifetimes, moments).reduce((most, bytes) => Math.max(most, bytes), 0);
  let best: { addresses: number[]; peak: number } = { addresses: [], peak: Number.POSITIVE_INFINITY };
  for (const order of ORDERS) {
    const indices = [...lifetimes.keys()].sort((a, b) => order(lifetimes[a], lifetimes[b]) || a - b);
    const found = firstFit(lifetimes, indices);
    if (found.peak < best.peak) best = found;
    if (best.peak === lowerBoundBytes) break;
  }
  return { addresses: best.addresses, peakBytes: given.length === 0 ? 0 : best.peak, lowerBoundBytes };
}
