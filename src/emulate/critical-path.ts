/** The chain of commands that makes a run as long as it is: whoever shortens none of them shortens nothing. */
import type { Simulation } from "./simulate.ts";

export interface Step {
  readonly id: number;
  /** From its start until the next of the chain begins, or the run ends: the steps add up to the run. */
  readonly from: number;
  readonly to: number;
}

/** First to last. */
export function criticalPath({ times }: Simulation): Step[] {
  let last = -1;
  for (const [id, { end }] of times.entries()) if (last < 0 || end > times[last].end) last = id;
  const steps: Step[] = [];
  let to = last < 0 ? 0 : times[last].end;
  for (let id: number | undefined = last < 0 ? undefined : last; id !== undefined; ) {
    const { start, waitedFor }: { readonly start: number; readonly waitedFor?: number } = times[id];
    steps.push({ id, from: start, to });
    to = start;
    id = waitedFor;
  }
  return steps.reverse();
}
