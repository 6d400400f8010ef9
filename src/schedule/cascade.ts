/**
 * Cascades: chains of layers that run together, a strip of rows at a time, so that what they hand to each other never
 * leaves SRAM although it would not fit there as a whole.
 */
import type { Target } from "../target/schema.ts";
import { type Choice, cascadeProblems } from "./cascade/choose.ts";
import { bestCuts } from "./cascade/cuts.ts";
import { stripJobs } from "./cascade/strips.ts";
import type { Job } from "./job.ts";
import type { Prepared } from "./plan.ts";
import type { Root } from "./view.ts";

export interface Cascaded {
  readonly jobs: readonly Job[];
  /** Tensors that must not stay in SRAM: they are read or written in DRAM strip by strip, or there is no room. */
  readonly inDram: ReadonlySet<Root>;
}

/**
 * Shares of the SRAM that are planned with. More holds more; less leaves more room for what is brought in ahead of its use.
 */
const USABLE = [0.9, 0.75];
/** Of more jobs than this only the first share is tried; of yet more, none: every way costs a schedule of its own. */
const JOBS_FOR_ALL = 1000;
const JOBS_FOR_ONE = 4000;

/** The jobs with chains of them replaced by strips, in the ways that are worth a try; none where no cascade is. */
export function cascadeJobs(jobs: readonly Job[], target: Target): Cascaded[] {
  if (jobs.length > JOBS_FOR_ONE) return [];
  const problems = cascadeProblems(jobs, target);
  return USABLE.slice(0, jobs.length > JOBS_FOR_ALL ? 1 : USABLE.length).flatMap((usable) => {
    const problem = problems(usable);
    const found = bestCuts(problem);
    const choice = found && problem.choice(found.segments);
    return choice ? [replaced(jobs, choice)] : [];
  });
}

/** An entry with jobs in strips. */
export function withStrips(entry: Prepared, { jobs, inDram }: Cascaded): Prepared {
  // A store that has become strips copies to the port: what it reads must lie elsewhere.
  const kept = new Set(jobs);
  const inPlace = new Map(
    [...entry.transfers.inPlace].filter(([, { jobs: stores }]) => stores.every((store) => kept.has(store))),
  );
  return { ...entry, transfers: { ...entry.transfers, jobs, inPlace }, inDram };
}

function replaced(jobs: readonly Job[], { cascades, inDram }: Choice): Cascaded {
  const fromDram = new Set(inDram);
  const result: Job[] = [];
  let next = 0;
  for (const { segment, strips, again } of cascades) {
    const cascade = stripJobs(segment, strips, again);
    for (const root of cascade.inDram) fromDram.add(root);
    result.push(...jobs.slice(next, segment.from), ...cascade.jobs);
    next = segment.to;
  }
  return { jobs: [...result, ...jobs.slice(next)], inDram: fromDram };
}
