/**
 * Cascades: chains of layers that run together, a strip of rows at a time, so that what they hand to each other never
 * leaves SRAM although it would not fit there as a whole.
 */
import type { Target } from "../target/schema.ts";
import { chooseCascades } from "./cascade/choose.ts";
import { analyse } from "./cascade/rows.ts";
import { segmentOf } from "./cascade/segment.ts";
import { stripJobs } from "./cascade/strips.ts";
import type { Job } from "./job.ts";
import type { Root } from "./view.ts";

export interface Cascaded {
  readonly jobs: readonly Job[];
  /** Tensors that must not stay in SRAM: they are read or written in DRAM strip by strip, or there is no room. */
  readonly inDram: ReadonlySet<Root>;
}

/** The jobs with chains of them replaced by strips; undefined where that is of no use. */
export function cascadeJobs(jobs: readonly Job[], target: Target): Cascaded | undefined {
  const analysis = analyse(jobs);
  const choice = chooseCascades(jobs, analysis, target);
  if (!choice) return undefined;
  const inDram = new Set(choice.inDram);
  const result: Job[] = [];
  let next = 0;
  for (const { from, to, strips, again, inSram } of choice.cascades) {
    result.push(...jobs.slice(next, from));
    const cascade = stripJobs(segmentOf(analysis, from, to, inSram), strips, again);
    for (const root of cascade.inDram) inDram.add(root);
    result.push(...cascade.jobs);
    next = to;
  }
  return { jobs: [...result, ...jobs.slice(next)], inDram };
}
