/** Where a program is cut into pipeline stages. */

/** What the cut is chosen by. */
interface StageCosts {
  /** Places where a stage may end, ascending; the first is the program's begin, the last its end. */
  readonly places: readonly number[];
  /** Cycles that the stage between two places takes for a piece of the batch. */
  cycles(from: number, to: number): number;
}

interface Stages {
  /** The places where stages begin, ascending, the first stage's too. */
  readonly starts: readonly number[];
  /** Of all pieces: the first one through every stage, then one at each beat of the slowest stage. */
  readonly cycles: number;
}

interface Front {
  readonly sum: number;
  readonly most: number;
  readonly start: number;
  readonly before?: Front;
}

/** Of several ways to the same place, those of which no other has both a smaller sum and a smaller maximum. */
function undominated(fronts: Front[]): Front[] {
  fronts.sort((a, b) => a.most - b.most || a.sum - b.sum || a.start - b.start);
  const kept: Front[] = [];
  for (const front of fronts) if (kept.length === 0 || front.sum < kept[kept.length - 1].sum) kept.push(front);
  return kept;
}

/**
 * From `least` to `stages` contiguous stages with the least sum + (pieces − 1) · maximum; fewer than `least` only where
 * there are not enough places. Exact: dynamic programming over the
 * places, with every way to a place that neither its sum nor its maximum rules out.
 */
export function bestStages({ places, cycles }: StageCosts, stages: number, pieces: number, least = 1): Stages {
  const fewest = Math.min(least, stages, places.length - 1);
  const total = (front: Front) => front.sum + (pieces - 1) * front.most;
  let reached: Front[][] = places.map((_, at) => (at === 0 ? [{ sum: 0, most: 0, start: places[0] }] : []));
  let best: Front | undefined;
  for (let stage = 0; stage < stages; stage++) {
    const next: Front[][] = places.map(() => []);
    for (let to = 1; to < places.length; to++) {
      const fronts: Front[] = [];
      for (let from = 0; from < to; from++) {
        if (reached[from].length === 0) continue;
        const own = cycles(places[from], places[to]);
        for (const before of reached[from]) {
          const front = { sum: before.sum + own, most: Math.max(before.most, own), start: places[from], before };
          if (best === undefined || total(front) < total(best)) fronts.push(front);
        }
      }
      next[to] = undominated(fronts);
    }
    const ends = stage + 1 >= fewest ? next[places.length - 1] : [];
    for (const front of ends) if (best === undefined || total(front) < total(best)) best = front;
    reached = next;
  }
  const starts: number[] = [];
  for (let front = best; front?.before; front = front.before) starts.unshift(front.start);
  return { starts, cycles: best === undefined ? 0 : total(best) };
}
