/** Addresses of the tensors that stay in SRAM, for one order of the tiles: side by side, and as closely as first fit packs them. */
import { type Allocation, alignUp } from "../../src/schedule/allocate.ts";
import type { Residency } from "../../src/schedule/residency.ts";
import { type Root, wholeBox } from "../../src/schedule/view.ts";

/** First and last position in the order that touches a tensor. */
export interface Span {
  readonly root: Root;
  readonly first: number;
  readonly last: number;
}

/** So few are tried in every order. */
const EVERY_ORDER = 4;

function* permutations<T>(list: readonly T[]): Generator<T[]> {
  if (list.length === 0) yield [];
  for (const [at, one] of list.entries()) for (const rest of permutations(list.toSpliced(at, 1))) yield [one, ...rest];
}

function firstFit(order: readonly Span[], alignment: number): { addresses: Map<Root, number>; peak: number } {
  const placed: { low: number; high: number; span: Span }[] = [];
  const addresses = new Map<Root, number>();
  let peak = 0;
  for (const span of order) {
    const bytes = alignUp(span.root.bytes, alignment);
    let address = 0;
    for (const { low, high, span: other } of placed) {
      if (other.last < span.first || span.last < other.first) continue;
      if (address + bytes > low && address < high) address = high;
    }
    placed.push({ low: address, high: address + bytes, span });
    placed.sort((a, b) => a.low - b.low);
    addresses.set(span.root, address);
    peak = Math.max(peak, address + bytes);
  }
  return { addresses, peak };
}

function residencyOf(
  spans: readonly Span[],
  addresses: ReadonlyMap<Root, number>,
  moments: number,
  peakBytes: number,
): Residency {
  const top = new Float64Array(moments);
  const resident = new Map(
    spans.map(({ root, first, last }) => {
      const address = addresses.get(root) ?? 0;
      for (let at = first; at <= last; at++) top[at] = Math.max(top[at], address + alignUp(root.bytes, 64));
      return [root, { first, last, address, held: [wholeBox(root.shape)] }] as const;
    }),
  );
  const allocation: Allocation = {
    addresses: [...addresses.values()],
    peakBytes,
    lowerBoundBytes: peakBytes,
    optimal: false,
  };
  return { resident, tops: [top], allocation, spills: false };
}

/** Every placement that is tried: no byte used twice if there is the room, and the least memory that first fit needs. */
export function placements(spans: readonly Span[], moments: number, capacity: number, alignment: number): Residency[] {
  const found: Residency[] = [];
  const always = spans.map(({ root }) => ({ root, first: 0, last: moments - 1 }));
  const apart = firstFit(always, alignment);
  if (apart.peak <= capacity) found.push(residencyOf(always, apart.addresses, moments, apart.peak));
  // With room for all of them twice, nothing is gained by using bytes again.
  if (apart.peak * 2 <= capacity) return found;
  const bySize = spans.toSorted((a, b) => b.root.bytes - a.root.bytes || a.first - b.first);
  const byStart = spans.toSorted((a, b) => a.first - b.first || b.root.bytes - a.root.bytes);
  let best = firstFit(bySize, alignment);
  for (const order of spans.length <= EVERY_ORDER ? permutations(spans) : [byStart]) {
    const one = firstFit(order, alignment);
    if (one.peak < best.peak) best = one;
  }
  if (best.peak <= capacity && best.peak < apart.peak)
    found.push(residencyOf(spans, best.addresses, moments, best.peak));
  return found;
}
