/**
 * Where a chain of jobs is cut into segments, and what stays in SRAM from one to the next: exact dynamic programming. A cut's
 * state says for every tensor that crosses it whether it lies in SRAM; a tensor lies in one place for all its life, so two
 * cuts that it crosses agree, and given both states a segment's cost depends on nothing else.
 */

export interface CutProblem {
  /** Jobs; cut c lies before job c. */
  readonly jobs: number;
  /** By cut, 0 to `jobs`: the tensors whose place is to be chosen, few of them. A tensor crosses neighbouring cuts only. */
  readonly crossing: readonly (readonly number[])[];
  /** Segments from a cut may end here at most. */
  readonly reach: readonly number[];
  /**
   * Cost of the jobs [from, to) as one segment, with the tensors that are in SRAM at its two ends as bits in the order of
   * `crossing`; infinite where it cannot be.
   */
  cost(from: number, to: number, before: number, after: number): number;
}

export interface ChosenSegment {
  readonly from: number;
  readonly to: number;
  readonly before: number;
  readonly after: number;
}

interface State {
  readonly cost: number;
  readonly segment?: ChosenSegment;
}

/** The bits at the second cut that the first one leaves no choice about, and those that are free. */
function carryOver(
  first: readonly number[],
  second: readonly number[],
  before: number,
): { fixed: number; free: number[] } {
  let fixed = 0;
  const free: number[] = [];
  second.forEach((tensor, bit) => {
    const known = first.indexOf(tensor);
    if (known < 0) free.push(bit);
    else if ((before >> known) & 1) fixed |= 1 << bit;
  });
  return { fixed, free };
}

/** The cheapest way from the first cut to the last; undefined where there is none. Ties go to the one found first. */
export function bestCuts(problem: CutProblem): { cost: number; segments: ChosenSegment[] } | undefined {
  const { jobs, crossing, reach } = problem;
  const states: Map<number, State>[] = Array.from({ length: jobs + 1 }, () => new Map());
  states[0].set(0, { cost: 0 });
  for (let from = 0; from < jobs; from++) {
    for (const [before, { cost }] of states[from]) {
      for (let to = from + 1; to <= reach[from]; to++) {
        const { fixed, free } = carryOver(crossing[from], crossing[to], before);
        for (let choice = 0; choice < 1 << free.length; choice++) {
          const after = free.reduce((bits, bit, at) => ((choice >> at) & 1 ? bits | (1 << bit) : bits), fixed);
          const total = cost + problem.cost(from, to, before, after);
          const known = states[to].get(after);
          if (total < (known?.cost ?? Number.POSITIVE_INFINITY))
            states[to].set(after, { cost: total, segment: { from, to, before, after } });
        }
      }
    }
  }
  const end = states[jobs].get(0);
  if (!end) return undefined;
  const segments: ChosenSegment[] = [];
  for (let { segment } = end; segment; segment = states[segment.from].get(segment.before)?.segment)
    segments.push(segment);
  return { cost: end.cost, segments: segments.reverse() };
}
