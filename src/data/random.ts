/** Numbers in [0, 1), the same for the same seed everywhere (32-bit SplitMix: Steele, Lea, Flood 2014). */
export function splitMix(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/**
 * Near enough to normal with mean 0 and deviation 1: the sum of four uniform numbers, whose variance is 4/12. Only
 * additions, so that the same numbers come out of every engine.
 */
export function normal(random: () => number): number {
  return (random() + random() + random() + random() - 2) * Math.sqrt(3);
}

/** A seed for each name: FNV-1a over UTF-16 units, starting from another seed. */
export function seedOf(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** One of the items, each as likely. */
export function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)];
}

/** A number between the two. */
export function between(random: () => number, low: number, high: number): number {
  return low + random() * (high - low);
}
