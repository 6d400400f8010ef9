/** Every chain of a small program's layers in strips. */
import { analyse, type Rows } from "../cascade/rows.ts";
import { type Segment, segmentOf } from "../cascade/segment.ts";
import { stripJobs } from "../cascade/strips.ts";
import { type Cascaded, withStrips } from "../cascade.ts";
import { inputsOf, outputsOf } from "../job.ts";
import type { Prepared } from "../plan.ts";
import type { Root } from "../view.ts";
import { movableOf } from "./alternatives.ts";

const STRIPS = [2, 3, 4, 6, 8, 12, 16];
/** Chains that are looked at. */
const MOST_CHAINS = 16;

/** The parts whose halo may be made again: inner ones in strips, of one maker, row by row. */
function remade({ parts, links, modes }: Segment): number[] {
  const counts = new Map<Rows, number>();
  for (const { rows } of parts) counts.set(rows, (counts.get(rows) ?? 0) + 1);
  return links.flatMap((_, at) => {
    const { rows, work, sink, step } = parts[at];
    const isAlone = work && !sink && step === 1 && counts.get(rows) === 1 && modes.get(rows.root) === "strips";
    return isAlone ? [at] : [];
  });
}

/**
 * The entry with one chain in strips: of every length and number of strips, the fewest first, halos kept or made again, with and without
 * its ends in SRAM.
 */
export function* chainsOf(entry: Prepared): Generator<Prepared> {
  const { jobs } = entry.transfers;
  const movable = movableOf(entry);
  const analysis = analyse(jobs);
  const { work } = analysis;
  const chains: { from: number; to: number }[] = [];
  for (let from = 0; from < jobs.length; from++) {
    for (let to = from + 1; to <= jobs.length && work[to - 1]?.movable; to++)
      if (to > from + 1) chains.push({ from, to });
  }
  for (const strips of STRIPS) {
    for (const { from, to } of chains.slice(0, MOST_CHAINS)) {
      const seen = new Set<string>();
      if (strips > (work[to - 1]?.count ?? 1)) continue;
      for (const inSram of [new Set<Root>(), movable]) {
        const segment = segmentOf(analysis, from, to, (root) => inSram.has(root));
        const inner = remade(segment);
        const inDram = [...movable].filter((root) => !inSram.has(root));
        for (const again of inner.length > 0 ? [new Set<number>(), new Set(inner)] : [new Set<number>()]) {
          const cascade = stripJobs(segment, strips, again);
          const after = [...jobs.slice(0, from), ...cascade.jobs, ...jobs.slice(to)];
          const touched = new Set(
            after.flatMap((job) => [...inputsOf(job), ...outputsOf(job)].map(({ root }) => root)),
          );
          const away = [...cascade.inDram, ...inDram].filter((root) => touched.has(root));
          const key = [...after.map(({ name }) => name), "in DRAM", ...away.map(({ name }) => name).sort()].join(" ");
          if (seen.has(key)) continue;
          seen.add(key);
          const own: Cascaded = { jobs: after, inDram: new Set(away) };
          yield withStrips(entry, own);
        }
      }
    }
  }
}
