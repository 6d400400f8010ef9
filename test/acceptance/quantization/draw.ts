import { splitMix } from "../../../src/data/random.ts";
import type { Samples } from "../../../src/pass.ts";

/**
 * A calibration set out of a pool, another one for every seed: `count` samples without repetition, or whole sequences in a
 * random order.
 */
export function drawn(pool: Samples, count: number, seed: number): Samples {
  const random = splitMix(seed);
  const picks =
    pool.sequence === undefined ? shuffled(range(pool.size), random).slice(0, count) : sequences(pool, random);
  const { sequence } = pool;
  return {
    size: Math.min(count, picks.length),
    feeds: (index) => pool.feeds(picks[index]),
    ...(sequence && { sequence: (index: number) => sequence(picks[index]) }),
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** All samples, the sequences in a random order. */
function sequences(pool: Samples, random: () => number): number[] {
  const members = new Map<string | undefined, number[]>();
  for (const index of range(pool.size)) {
    const name = pool.sequence?.(index);
    const list = members.get(name);
    if (list) list.push(index);
    else members.set(name, [index]);
  }
  return shuffled([...members.values()], random).flat();
}

/** Fisher and Yates. */
function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const out = [...list];
  for (let last = out.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [out[last], out[other]] = [out[other], out[last]];
  }
  return out;
}
