/** The best plan of one component within a number of steps: first fit, the goal itself, then what lies between. */
import type { Component } from "./component.ts";
import { firstFit, type Plan } from "./first-fit.ts";
import { attempt } from "./restarts.ts";
import { type Neighbours, neighboursOf } from "./search.ts";

export interface Improved extends Plan {
  /** No plan of this component has a lower peak than this. */
  readonly proven: number;
  readonly steps: number;
}

/** Pairs of buffers that live at the same time, and moments of buffers, that the search may keep in memory. */
const MOST_PAIRS = 8_000_000;
/** Of the steps: for a first improvement, and for the goal of what is left then. */
const FOR_THE_START = 0.15;
const FOR_THE_GOAL = 0.85;
/** A halving gets this part of the steps left to all. */
const TRIES = 2;

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
 * A plan whose peak is at most `goal` (not below the component's lower bound), or else as low as could be found. Halving the
 * distance from the goal is quick and comes first, so that few steps are not lost on a goal that needs many; then the goal itself; what
 * is left goes into halving again.
 */
export function improve(component: Component, goal: number, steps: number): Improved {
  const quick = firstFit(component, goal);
  if (quick.peak <= goal || steps <= 0 || !isSmall(component)) {
    return { ...quick, proven: component.lowerBound, steps: 0 };
  }
  const ladder = new Ladder(component, quick);
  ladder.halve(goal, steps * FOR_THE_START);
  ladder.attempt(goal, (steps - ladder.spent) * FOR_THE_GOAL);
  ladder.halve(goal, steps - ladder.spent);
  return { ...ladder.best, proven: ladder.proven, steps: ladder.spent };
}

class Ladder {
  best: Plan;
  /** Every capacity below has been refuted. */
  proven: number;
  spent = 0;
  private readonly component: Component;
  private readonly neighbours: Neighbours;

  constructor(component: Component, best: Plan) {
    this.component = component;
    this.best = best;
    this.proven = component.lowerBound;
    this.neighbours = neighboursOf(component);
  }

  attempt(capacity: number, steps: number): void {
    if (this.best.peak <= capacity || capacity < this.proven || steps < 1) return;
    const found = attempt(this.component, capacity, this.neighbours, Math.ceil(steps));
    this.spent += found.steps;
    if (found.outcome === "solved") {
      this.best = { addresses: found.addresses, peak: peakOf(this.component, found.addresses) };
    } else if (found.outcome === "impossible") this.proven = capacity + 1;
  }

  /** Tries the middle between what failed last and the best plan, until they meet. */
  halve(goal: number, steps: number): void {
    const end = this.spent + steps;
    for (let low = Math.max(goal, this.proven); low < this.best.peak && this.spent < end; ) {
      const capacity = Math.floor((low + this.best.peak) / 2);
      this.attempt(capacity, (end - this.spent) / TRIES);
      low = Math.max(this.proven, this.best.peak <= capacity ? low : capacity + 1);
    }
  }
}
