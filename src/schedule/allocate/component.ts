/** An allocation taken apart: sizes in their common unit, moments that matter, and stretches of time that share no bytes. */

/** 32 bits wherever the sums allow: the search lives on small numbers. */
export type Numbers = Int32Array | Float64Array;

/** Buffers that live between the same two pauses: solved without regard to all others. */
export interface Component {
  /** Places in the list of all buffers. */
  readonly members: Int32Array;
  /** In units, by place in `members`, as in all that follows. */
  readonly sizes: Numbers;
  /** Moments of a buffer's life, from the first up to, not with, the last: only those at which a largest set is alive. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly moments: number;
  /** The largest sum of units alive at one moment. */
  readonly lowerBound: number;
}

/** Moments may be of any kind, the last one included. */
export interface Buffer {
  readonly size: number;
  readonly first: number;
  readonly last: number;
}

const MOST_IN_32_BITS = 2 ** 30;

export function numbers(count: number, largest: number): Numbers {
  return largest < MOST_IN_32_BITS ? new Int32Array(count) : new Float64Array(count);
}

/** What all sizes are multiples of; 1 where there is none. */
export function commonUnit(sizes: readonly number[]): number {
  let unit = 0;
  for (let size of sizes) while (size > 0) [unit, size] = [size, unit % size];
  return Math.max(1, unit);
}

/**
 * Moments whose set of living buffers is in no neighbour's: a birth since the moment kept before, and a death right after.
 * Where nothing overlaps there, nothing overlaps anywhere.
 */
function keptMoments(buffers: readonly Buffer[]): number[] {
  const births = [...new Set(buffers.map(({ first }) => first))].sort((a, b) => a - b);
  const deaths = [...new Set(buffers.map(({ last }) => last))].sort((a, b) => a - b);
  const kept: number[] = [];
  let next = 0;
  for (const death of deaths) {
    if (next >= births.length || births[next] > death) continue;
    kept.push(death);
    while (next < births.length && births[next] <= death) next++;
  }
  return kept;
}

/** The first place in a sorted list whose number is at least `value`. */
function placeOf(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Components, the one with the highest lower bound first; sizes are divided by `unit`. */
export function components(buffers: readonly Buffer[], unit: number): Component[] {
  const kept = keptMoments(buffers);
  const from = buffers.map(({ first }) => placeOf(kept, first));
  const to = buffers.map(({ last }) => placeOf(kept, last + 1));
  const crossed = new Int32Array(kept.length + 1);
  buffers.forEach((_, index) => {
    crossed[from[index] + 1]++;
    crossed[to[index]]--;
  });
  const starts: number[] = [];
  let across = 0;
  for (let moment = 0; moment < kept.length; moment++) {
    across += crossed[moment];
    if (across === 0) starts.push(moment);
  }
  const groups: number[][] = starts.map(() => []);
  buffers.forEach((_, index) => {
    groups[placeOf(starts, from[index] + 1) - 1].push(index);
  });
  return groups
    .map((members, at) => {
      const moments = (starts[at + 1] ?? kept.length) - starts[at];
      const units = members.map((index) => buffers[index].size / unit);
      const total = units.reduce((sum, size) => sum + size, 0);
      const sizes = numbers(members.length, total);
      sizes.set(units);
      const live = new Float64Array(moments + 1);
      const begins = Int32Array.from(members, (index) => from[index] - starts[at]);
      const ends = Int32Array.from(members, (index) => to[index] - starts[at]);
      members.forEach((_, index) => {
        live[begins[index]] += sizes[index];
        live[ends[index]] -= sizes[index];
      });
      let [sum, lowerBound] = [0, 0];
      for (const change of live) {
        sum += change;
        lowerBound = Math.max(lowerBound, sum);
      }
      return { members: Int32Array.from(members), sizes, from: begins, to: ends, moments, lowerBound };
    })
    .sort((a, b) => b.lowerBound - a.lowerBound || a.members[0] - b.members[0]);
}
