/** The multiple-choice knapsack of a search: one option of every item, the least loss for every cost. */

export interface Option {
  /** What it costs in accuracy; those of all items add up. */
  readonly loss: number;
  readonly cycles: number;
  readonly bytes: number;
}

export interface Selection extends Option {
  /** The option taken of each item. */
  readonly choice: readonly number[];
}

/** Steps that all costs together are told apart by, at most: cycles, then bytes. */
const BINS = [96, 384] as const;

/**
 * Every selection than which no other one is at least as good in loss, cycles and bytes: exactly, of costs that are rounded to
 * whole cycles and bytes, and no finer than 1/96 of the span between the cheapest and the dearest selection's cycles and 1/384 of
 * their bytes. Sorted by bytes, then cycles.
 * The first of equals is taken, so that the result depends on the items alone.
 */
export function paretoFront(items: readonly (readonly Option[])[]): Selection[] {
  const { cycles, bytes } = binnedWithin(items, 1);
  const [wide, high] = [cycles.total + 1, bytes.total + 1];
  let least = new Float64Array(wide * high).fill(Number.POSITIVE_INFINITY);
  least[0] = 0;
  let [reachC, reachB] = [0, 0];
  const taken: Uint16Array[] = [];
  for (const [item, options] of items.entries()) {
    const next = new Float64Array(wide * high).fill(Number.POSITIVE_INFINITY);
    const from = new Uint16Array(wide * high);
    for (let c = 0; c <= reachC; c++) {
      for (let b = 0; b <= reachB; b++) {
        const before = least[c * high + b];
        if (before === Number.POSITIVE_INFINITY) continue;
        for (const [at, { loss }] of options.entries()) {
          const place = (c + cycles.of[item][at]) * high + b + bytes.of[item][at];
          if (before + loss >= next[place]) continue;
          next[place] = before + loss;
          from[place] = at;
        }
      }
    }
    reachC += cycles.most[item];
    reachB += bytes.most[item];
    taken.push(from);
    least = next;
  }
  return undominated(least, wide, high).map((place) => {
    let [c, b] = [Math.floor(place / high), place % high];
    const choice = new Array<number>(items.length);
    for (let item = items.length - 1; item >= 0; item--) {
      choice[item] = taken[item][c * high + b];
      c -= cycles.of[item][choice[item]];
      b -= bytes.of[item][choice[item]];
    }
    return { choice, ...sumOf(items, choice) };
  });
}

/** What a selection comes to, unrounded. */
export function sumOf(items: readonly (readonly Option[])[], choice: readonly number[]): Option {
  const sum = { loss: 0, cycles: 0, bytes: 0 };
  for (const [item, at] of choice.entries()) {
    const { loss, cycles, bytes } = items[item][at];
    sum.loss += loss;
    sum.cycles += cycles;
    sum.bytes += bytes;
  }
  return sum;
}

/** States that are kept of all items together, at most: what bounds the memory. */
const MOST_STATES = 2 ** 25;

/** Both costs in steps, in coarser ones where there are very many items. */
function binnedWithin(items: readonly (readonly Option[])[], share: number): Record<"cycles" | "bytes", Binned> {
  const cycles = binned(items, ({ cycles: cost }) => cost, Math.max(1, BINS[0] * share));
  const bytes = binned(items, ({ bytes: cost }) => cost, Math.max(1, BINS[1] * share));
  const states = items.length * (cycles.total + 1) * (bytes.total + 1);
  // Each step down takes most of the steps away: it ends where all costs are one.
  return states > MOST_STATES && share > 2 ** -12 ? binnedWithin(items, share / 2) : { cycles, bytes };
}

type Binned = ReturnType<typeof binned>;

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Costs above each item's cheapest option, in steps. */
function binned(items: readonly (readonly Option[])[], costOf: (option: Option) => number, bins: number) {
  const costs = items.map((options) => options.map(costOf));
  const lows = costs.map((own) => Math.min(...own));
  const span = costs.reduce((sum, own, item) => sum + Math.max(...own) - lows[item], 0);
  const step = Math.max(1, span / bins);
  // Up or down by turns, evenly over the items: of many that cost less than a step each, the sum is still right.
  const of = costs.map((own, item) =>
    own.map((cost) => Math.floor((cost - lows[item]) / step + ((item * GOLDEN + 0.5) % 1))),
  );
  const most = of.map((own) => Math.max(...own));
  return { of, most, total: most.reduce((sum, bin) => sum + bin, 0) };
}

/** Places whose loss is less than everywhere at or below both of their costs. */
function undominated(least: Float64Array, wide: number, high: number): number[] {
  const best = new Float64Array(wide * high);
  const found: number[] = [];
  for (let c = 0; c < wide; c++) {
    for (let b = 0; b < high; b++) {
      const place = c * high + b;
      const left = c === 0 ? Number.POSITIVE_INFINITY : best[place - high];
      const below = b === 0 ? Number.POSITIVE_INFINITY : best[place - 1];
      const other = Math.min(left, below);
      best[place] = Math.min(other, least[place]);
      if (least[place] < other) found.push(place);
    }
  }
  return found.sort((x, y) => (x % high) - (y % high) || x - y);
}
