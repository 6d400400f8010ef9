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

/**
 * Refreshes and other clients as buckets in the time that slots leave us; each of the two alone is a bound. A window of d
 * every T is within d (1 − d/T) + t · d/T. With slots of L every P, t cycles of ours take at most L + t P/(P − L) in all,
 * so the others get burst + share · (L + t P/(P − L)); and since at most 1 + t/(P − L) slots cut our time into pieces,
 * within each of which the bucket holds, they get at most burst · (2 + t/(P − L)) + share · t.
 */
function bucketsOf({ refresh, others, slots }: Interference): Bucket[] {
  const refreshing = refresh.duration / refresh.interval;
  const share = others.share + refreshing;
  const burst = others.burst + refresh.duration * (1 - refreshing);
  const { period, length } = slots;
  if (length === 0) return [{ burst, share }];
  const ours = period - length;
  return [
    { burst: burst + share * length, share: (share * period) / ours },
    { burst: 2 * burst, share: share + burst / ours },
  ];
}

/** In cycles; sound for every scenario of world.ts, and for every other behaviour that keeps the regulators. */
export function worstCaseOf(fixed: FixedOrder, interference: Interference): WorstCase {
  const own = Math.min(...bucketsOf(interference).map((bucket) => longestPath(fixed, bucket)));
  if (!Number.isFinite(own)) return { cycles: own, slotCycles: own };
  const { period, length } = interference.slots;
  const slotCycles = length === 0 ? 0 : (Math.floor(own / (period - length)) + 1) * length;
  // A little more than the sum, so that rounding cannot put a run above it.
  return { cycles: Math.ceil((own + slotCycles) * (1 + 1e-9)), slotCycles };
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
