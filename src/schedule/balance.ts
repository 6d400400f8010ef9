/** How much of each depthwise layer the vector unit takes: changed until array and vector unit are equally busy around it. */
import type { Divisible } from "./mapping.ts";
import type { Sequence } from "./order.ts";
import type { Engine } from "./program.ts";

/** A trial of a division: the order found, who did each of its steps, and which layer of the list it was a part of. */
export interface Trial {
  readonly sequence: Sequence;
  /** By step. */
  readonly engines: readonly Engine[];
  /** By step: index of the divisible layer, or undefined. */
  readonly layers: readonly (number | undefined)[];
}

const ROUNDS = 6;
/** Of the imbalance seen, what a round takes away. */
const STEP = 0.5;

/**
 * The division with the shortest trial, in channels of each layer for the vector unit. Around a layer means from the end of the
 * divisible layer before it to its own end: who idles longer there gets more channels.
 */
export function balancedShares(layers: readonly Divisible[], trialOf: (shares: readonly number[]) => Trial): number[] {
  let shares = layers.map(({ share }) => share);
  let best = shares;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const trial = trialOf(shares);
    if (trial.sequence.cycles < least) [best, least] = [shares, trial.sequence.cycles];
    const busy = busyAround(layers.length, trial);
    shares = shares.map((share, at) => {
      const { channels, array, vectorCycles } = layers[at];
      const perChannel = (array.cycles + vectorCycles) / channels;
      const change = (STEP * (busy[at].array - busy[at].vector)) / perChannel;
      return Number.isFinite(change) ? Math.min(channels, Math.max(0, share + change)) : share;
    });
  }
  return best;
}

function busyAround(count: number, { sequence, engines, layers }: Trial): { array: number; vector: number }[] {
  const ends = new Float64Array(count);
  layers.forEach((layer, at) => {
    if (layer !== undefined) ends[layer] = Math.max(ends[layer], sequence.end[at]);
  });
  for (let layer = 1; layer < count; layer++) ends[layer] = Math.max(ends[layer], ends[layer - 1]);
  const busy = Array.from({ length: count }, () => ({ array: 0, vector: 0 }));
  engines.forEach((engine, at) => {
    if (engine !== "array" && engine !== "vector") return;
    const [start, end] = [sequence.start[at], sequence.end[at]];
    for (let layer = 0; layer < count && (layer === 0 || ends[layer - 1] < end); layer++) {
      const from = layer === 0 ? 0 : ends[layer - 1];
      busy[layer][engine] += Math.max(0, Math.min(end, ends[layer]) - Math.max(start, from));
    }
  });
  return busy;
}
