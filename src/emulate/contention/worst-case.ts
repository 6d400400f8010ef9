/**
 * The latest end of a program of fixed order, whatever the others do within their regulators.
 *
 * In the run with the latest end there is a path of commands, each beginning when the one before it lets it, whose
 * lengths add up to the whole run. What the others take from us along it they take while the DRAM serves a command of
 * the path, and their regulator is a bucket: it holds at most `burst`, and fills with `share` a cycle. Spending all of it
 * at once is never worse for us than spending it later, since an empty bucket fills and a full one does not. So a path is
 * worst when a transfer of D cycles that finds b in the bucket takes (D + b) / (1 − share) and leaves it empty, and all else
 * takes its own time while the bucket fills.
 *
 * Two numbers a command say this for all paths that end there: `time`, and `spent`, the time if the bucket were spent at
 * once: time + b / (1 − share). Both only grow with either, so the largest of each over all paths is an upper bound.
 */
import type { FixedOrder } from "./fixed-order.ts";
import type { Interference } from "./interference.ts";

export interface WorstCase {
  /** Infinity where the others may take all of the DRAM. */
  readonly cycles: number;
  /** Of it: what slots of other programs take of the NPUs. */
  readonly slotCycles: number;
}

interface Bucket {
  readonly burst: number;
  readonly share: number;
}

/** Refreshes, of which a window of d every T is within d (1 − d/T) + t · d/T, and the other clients. */
function bucketsOf({ refresh, others }: Interference): Bucket[] {
  const share = refresh.duration / refresh.interval;
  return [others, { burst: refresh.duration * (1 - share), share }];
}

/** In cycles; sound for every scenario of world.ts, and for every other behaviour that keeps the regulators. */
export function worstCaseOf(fixed: FixedOrder, interference: Interference): WorstCase {
  const own = longestOwn(fixed, interference);
  if (!Number.isFinite(own)) return { cycles: own, slotCycles: own };
  const slotCycles = slotsIn(own, interference) * interference.slots.length;
  // A little more than the sum, so that rounding cannot put a run above it.
  return { cycles: Math.ceil((own + slotCycles) * (1 + 1e-9)), slotCycles };
}

/** As many slots as can touch a run that has so many cycles outside of them. */
function slotsIn(own: number, { slots: { period, length } }: Interference): number {
  return length === 0 ? 0 : Math.floor(own / (period - length)) + 1;
}

/**
 * The longest path in the time that slots of L every P leave us. While a slot lasts, nobody takes anything from us, but a
 * bucket gains: at most share · L, and at most itself. So with g for that gain, n slots in a run give its transfers
 * burst + n g + share · t in t cycles of ours; and since they can be at most 1 + t/(P − L), also
 * burst + g + (share + g/(P − L)) · t. From the second follows a number of slots, from the first a shorter run, which
 * fewer slots can touch, and so on downwards.
 */
function longestOwn(fixed: FixedOrder, interference: Interference): number {
  const { period, length } = interference.slots;
  const sources = bucketsOf(interference);
  const total = (of: (bucket: Bucket) => number) => sources.reduce((sum, bucket) => sum + of(bucket), 0);
  const [burst, share] = [total((bucket) => bucket.burst), total((bucket) => bucket.share)];
  const gain = total((bucket) => Math.min(bucket.share * length, bucket.burst));
  let own = longestPath(fixed, { burst: burst + gain, share: share + gain / (period - length) });
  for (let slots = Number.POSITIVE_INFINITY; Number.isFinite(own) && slotsIn(own, interference) < slots; ) {
    slots = slotsIn(own, interference);
    own = Math.min(own, longestPath(fixed, { burst: burst + slots * gain, share }));
  }
  return own;
}

/** Infinity where the bucket fills faster than the DRAM serves. */
function longestPath(fixed: FixedOrder, { burst, share }: Bucket): number {
  if (share >= 1) return Number.POSITIVE_INFINITY;
  const { count, order, before, waitsFrom, waits, cycles, dramCycles, demand, latency } = fixed;
  const rate = 1 / (1 - share);
  const full = burst * rate;
  const [releasedTime, releasedSpent] = [new Float64Array(count), new Float64Array(count)];
  const [endTime, endSpent] = [new Float64Array(count), new Float64Array(count)];
  // Behind a transfer the bucket is empty: both numbers are the same.
  let [dramFree, last] = [0, 0];
  for (const id of order) {
    // The others come with a full bucket.
    let [time, spent] = [0, full];
    const earlier = before[id];
    if (earlier >= 0) [time, spent] = [releasedTime[earlier], releasedSpent[earlier]];
    for (let at = waitsFrom[id]; at < waitsFrom[id + 1]; at++) {
      time = Math.max(time, endTime[waits[at]]);
      spent = Math.max(spent, endSpent[waits[at]]);
    }
    const transfers = demand[id] > 0;
    if (transfers) {
      [time, spent] = [Math.max(time, dramFree), Math.max(spent, dramFree)];
      dramFree = spent + demand[id] * rate;
    }
    [releasedTime[id], releasedSpent[id]] = [dramFree, dramFree];
    if (!transfers || cycles[id] > dramCycles[id]) {
      const worked = time + cycles[id];
      const refilled = Math.min(worked + full, spent + cycles[id] * rate);
      releasedTime[id] = transfers ? Math.max(dramFree, worked) : worked;
      releasedSpent[id] = transfers ? Math.max(dramFree, refilled) : refilled;
    }
    endTime[id] = releasedTime[id] + latency[id];
    endSpent[id] = Math.min(endTime[id] + full, releasedSpent[id] + latency[id] * rate);
    last = Math.max(last, endTime[id]);
  }
  return last;
}
