/** Where resident tensors lie once the order of all steps is known. */
import { bug } from "../error.ts";
import type { Target } from "../target/schema.ts";
import { allocate, type Lifetime } from "./allocate.ts";
import { inputsOf, outputsOf } from "./job.ts";
import type { Sequence } from "./order.ts";
import { mostBytes, type Residency, topsOf } from "./residency.ts";
import type { AnyPlanned } from "./stream.ts";
import type { Step } from "./tasks.ts";
import type { Root } from "./view.ts";

/**
 * New addresses for the resident roots, now that the order of all steps is known: a root lives as long as a job touches it,
 * and where there is room until the last of them has really ended, so that nobody has to wait for its bytes; `apart`: where there is
 * even more room, as long as the program. Undefined where the roots do not fit.
 */
export function settleResidents(
  jobs: readonly AnyPlanned[],
  before: Residency,
  sequence: Sequence,
  target: Target,
  apart: boolean,
): Residency | undefined {
  const kept = [...before.resident].map(([root, { held }]) => ({ root, held }));
  const together = kept.reduce((sum, one) => sum + mostBytes(one), 0);
  const always = apart && together <= target.sram.bytes * ROOMY ? [wholeSpans(kept, sequence)] : [];
  for (const spans of [...always, lingeringSpans(jobs, sequence), touchSpans(jobs, sequence)]) {
    const lifetimes = kept.map(
      (one): Lifetime => ({ bytes: mostBytes(one), ...(spans.get(one.root) ?? bug(one.root.name)) }),
    );
    const allocation = allocate(lifetimes, target.sram.alignmentBytes, { limit: target.sram.bytes });
    if (allocation.peakBytes > target.sram.bytes) continue;
    const settled = kept.map(({ root, held }, at) => {
      return [root, { ...lifetimes[at], address: allocation.addresses[at], held }] as const;
    });
    const moments = sequence.steps.length;
    const tops = topsOf(kept, lifetimes, allocation, moments, before.tops.length);
    return { ...before, resident: new Map(settled), tops, allocation };
  }
  return undefined;
}

/** Of the SRAM, what all roots together may take if none of them gives its bytes to another. */
const ROOMY = 0.75;

function wholeSpans(
  kept: readonly { readonly root: Root }[],
  { steps }: Sequence,
): Map<Root, { first: number; last: number }> {
  return new Map(kept.map(({ root }) => [root, { first: 0, last: steps.length - 1 }]));
}

/** The same addresses, for steps that follow job after job. */
export function spreadResidents(before: Residency, steps: readonly Step[]): Residency {
  const firstOf = (moment: number) => steps.findIndex(({ job }) => job >= moment);
  const lastOf = (moment: number) => steps.findLastIndex(({ job }) => job <= moment);
  const spread = [...before.resident].map(([root, { first, last, ...rest }]) => {
    return [root, { ...rest, first: firstOf(first), last: lastOf(last) }] as const;
  });
  const tops = before.tops.map((top) => Float64Array.from(steps, ({ job }) => top[job]));
  return { ...before, resident: new Map(spread), tops };
}

/** First and last step that touches each root. */
function touchSpans(jobs: readonly AnyPlanned[], { steps }: Sequence): Map<Root, { first: number; last: number }> {
  const spans = new Map<Root, { first: number; last: number }>();
  steps.forEach(({ job: index }, at) => {
    const { job } = jobs[index];
    for (const { root } of [...inputsOf(job), ...outputsOf(job)]) {
      const span = spans.get(root);
      if (span) span.last = at;
      else spans.set(root, { first: at, last: at });
    }
  });
  return spans;
}

/** As above, up to the last step that begins before every touch has ended. */
function lingeringSpans(jobs: readonly AnyPlanned[], sequence: Sequence): Map<Root, { first: number; last: number }> {
  const { steps, start, end } = sequence;
  const ends = new Map<Root, number>();
  steps.forEach(({ job: index }, at) => {
    const { job } = jobs[index];
    for (const { root } of inputsOf(job)) ends.set(root, Math.max(ends.get(root) ?? 0, end[at]));
  });
  const spans = touchSpans(jobs, sequence);
  for (const [root, span] of spans) {
    const until = ends.get(root) ?? 0;
    while (span.last + 1 < steps.length && start[span.last + 1] < until) span.last++;
  }
  return spans;
}
