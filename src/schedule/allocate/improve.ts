/** The best plan of one component within a number of steps: first fit, the goal itself, then what lies between. */
import type { Component } from "./component.ts";
import { firstFit, type Plan } from "./first-fit.ts";
import { attempt } from "./restarts.ts";
import { neighboursOf } from "./search.ts";

export interface Improved extends Plan {
  /** No plan of this component has a lower peak than this. */
  readonly proven: number;
  readonly steps: number;
}

/** Pairs of buffers that live at the same time, and moments of buffers, that the search may keep in memory. */
const MOST_PAIRS = 8_000_000;
/** Of the steps, what the goal gets before anything easier is tried. */
const FOR_THE_GOAL = 0.8;

function isSmall({ sizes, from, to }: Component): boolean {
  if (sizes.length > 3000) return false;
  const moments = from.reduce((sum, first, buffer) => sum + to[buffer] - first, 0);
  return moments <= MOST_PAIRS;
}

function peakOf({ sizes }: Component, addresses: ArrayLike<number>): number {
  let peak = 0;
  for (let buffer = 0; buffer < sizes.length; buffer++) peak = Math.max(peak, addresses[buffer] + sizes[buffer]);
  return peak;
}

/**
 * A plan whose peak is at most `goal` (not below the component's lower bound), or else as low as could be found: after the
 * goal, the middle between what failed and the best plan is tried until they meet or the steps are spent.
 */
export function improve(component: Component, goal: number, steps: number): Improved {
  let best = firstFit(component, goal);
  let proven = component.lowerBound;
  let spent = 0;
  if (best.peak <= goal || steps <= 0 || !isSmall(component)) return { ...best, proven, steps: spent };
  const neighbours = neighboursOf(component);
  let refuted = true;
  for (let low = goal; low < best.peak && spent < steps; ) {
    const capacity = low === goal ? goal : Math.floor((low + best.peak) / 2);
    const share = low === goal ? FOR_THE_GOAL : 1 / 4;
    const found = attempt(component, capacity, neighbours, Math.ceil((steps - spent) * share));
    spent += found.steps;
    if (found.outcome === "solved") {
      best = { addresses: found.addresses, peak: peakOf(component, found.addresses) };
      if (capacity === goal) break;
      continue;
    }
    low = capacity + 1;
    refuted = refuted && found.outcome === "impossible";
    if (refuted) proven = low;
  }
  return { ...best, proven, steps: spent };
}
