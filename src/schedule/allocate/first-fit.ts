/** The quick plan: first fit at the lowest address in a few orders. */
import { type Component, type Numbers, numbers } from "./component.ts";

/** Addresses in units, and the highest end. */
export interface Plan {
  readonly addresses: Numbers;
  readonly peak: number;
}

type Key = (component: Component, buffer: number) => number;
const life: Key = ({ from, to }, buffer) => to[buffer] - from[buffer];
const size: Key = ({ sizes }, buffer) => sizes[buffer];

/** The largest key first; ties are broken by the next key, then by place in the list, so that nothing else decides. */
const ORDERS: readonly (readonly Key[])[] = [
  [size],
  [(component, buffer) => size(component, buffer) * life(component, buffer)],
  [life, size],
  [({ from }, buffer) => -from[buffer], size],
];

function place({ sizes, from, to }: Component, order: readonly number[]): Plan {
  let total = 0;
  for (const bytes of sizes) total += bytes;
  const addresses = numbers(sizes.length, total);
  const placed: number[] = [];
  let peak = 0;
  for (const buffer of order) {
    let address = 0;
    // `placed` is sorted by address: the first gap that is large enough wins.
    for (const other of placed) {
      if (to[other] <= from[buffer] || to[buffer] <= from[other]) continue;
      if (addresses[other] - address >= sizes[buffer]) break;
      address = Math.max(address, addresses[other] + sizes[other]);
    }
    addresses[buffer] = address;
    peak = Math.max(peak, address + sizes[buffer]);
    let [low, high] = [0, placed.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (addresses[placed[middle]] <= address) low = middle + 1;
      else high = middle;
    }
    placed.splice(low, 0, buffer);
  }
  return { addresses, peak };
}

/** The best of all orders, or the first whose peak is at most `enough`. */
export function firstFit(component: Component, enough: number): Plan {
  let best: Plan | undefined;
  for (const keys of ORDERS) {
    const order = [...component.sizes.keys()].sort((a, b) => {
      for (const key of keys) {
        const difference = key(component, b) - key(component, a);
        if (difference !== 0) return difference;
      }
      return a - b;
    });
    const plan = place(component, order);
    if (best === undefined || plan.peak < best.peak) best = plan;
    if (best.peak <= enough) break;
  }
  return best as Plan;
}
