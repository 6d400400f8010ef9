/**
 * Gates under simulation: data whose samples go wrong together by group, from models whose true drop is known. A model
 * that is as bad as the gate, or worse, must pass in at most 5 of 100 certifications; one without any drop, on as many groups
 * as the plan asks for, in at least 90. `--samples` is the number of simulated certifications of each row (10,000).
 */
import { createPool } from "../../src/run/pool.ts";
import type { Outcome } from "./check.ts";
import type { Structure } from "./clustered.ts";
import type { DataName, Row, RowAnswer } from "./statistics-worker.ts";

const RUNS = 10_000;
const [MOST, LEAST] = [0.05, 0.9];
const JOBS = 2;

const STRUCTURES: readonly Structure[] = [
  { groups: 1000, size: 1, sizes: "equal", icc: 0 },
  { groups: 400, size: 4, sizes: "uniform", icc: 0.1 },
  { groups: 400, size: 4, sizes: "uniform", icc: 0.5 },
  { groups: 100, size: 12, sizes: "log-uniform", icc: 0.1 },
  { groups: 100, size: 12, sizes: "log-uniform", icc: 0.5 },
  { groups: 20, size: 60, sizes: "equal", icc: 0 },
  { groups: 20, size: 60, sizes: "equal", icc: 0.1 },
  { groups: 20, size: 60, sizes: "equal", icc: 0.5 },
  { groups: 10, size: 150, sizes: "equal", icc: 0.1 },
  { groups: 8, size: 150, sizes: "equal", icc: 0.5 },
];

const ALL: readonly DataName[] = [
  "answers, nearly all right",
  "answers, never better",
  "answers, nearly all wrong",
  "answers, often different",
  "character errors",
  "character errors, rare",
  "bits per character",
  "area 0.92, half positive",
  "area 0.98, one in ten positive",
  "F1 of 0.89",
  "F1 itself",
  "area of 0.92 itself",
  "character errors themselves",
  "flips, 2 %",
  "flips, 30 %",
];
/** One of each metric. */
const SOME: readonly DataName[] = [
  "answers, nearly all right",
  "character errors",
  "bits per character",
  "area 0.92, half positive",
];

function* rows(runs: number): Iterable<Row> {
  for (const structure of STRUCTURES) {
    for (const data of ALL) yield { promise: "as bad as the gate", data, structure, runs };
    for (const data of SOME) yield { promise: "worse than the gate", data, structure, runs };
  }
  for (const structure of [
    { groups: 0, size: 1, sizes: "equal", icc: 0 },
    { groups: 0, size: 10, sizes: "equal", icc: 0.1 },
    { groups: 0, size: 10, sizes: "equal", icc: 0.5 },
  ] as const) {
    yield { promise: "planned from assumptions", data: "answers, nearly all right", structure, runs };
  }
  for (const structure of [
    { groups: 400, size: 4, sizes: "uniform", icc: 0.1 },
    { groups: 60, size: 10, sizes: "uniform", icc: 0.1 },
    { groups: 40, size: 10, sizes: "uniform", icc: 0.3 },
  ] as const) {
    for (const data of [...SOME, "character errors, rare", "area 0.98, one in ten positive"] as const) {
      yield { promise: "planned from a pilot", data, structure, runs };
    }
  }
  // From so few groups plans for rare faults are of millions of samples.
  const few = { groups: 12, size: 30, sizes: "uniform", icc: 0.3 } as const;
  for (const data of ["bits per character", "area 0.92, half positive"] as const) {
    yield { promise: "planned from a pilot", data, structure: few, runs };
  }
}

export async function* statistics({ samples = RUNS }: { samples?: number } = {}): AsyncIterable<Outcome> {
  const all = [...rows(samples)];
  const worker = new URL("./statistics-worker.ts", import.meta.url);
  let at = 0;
  for await (const answer of createPool(JOBS).map<undefined, Row, RowAnswer>(worker, undefined, all)) {
    yield outcomeOf(all[at++], answer);
  }
  const { user, system } = process.cpuUsage();
  const minutes = (user + system) / 6e7;
  yield { name: "CPU time", good: true, says: `${minutes.toFixed(1)} minutes`, figures: { minutes } };
}

function outcomeOf({ promise, data, structure, runs }: Row, { limit, pass, groups }: RowAnswer): Outcome {
  const planned = promise.startsWith("planned");
  // Of fewer runs than the promise is about, three standard errors are taken for chance.
  const bar = planned ? LEAST : MOST;
  const chance = runs < RUNS ? 3 * Math.sqrt((bar * (1 - bar)) / runs) : 0;
  const good = planned ? pass >= bar - chance : pass <= bar + chance;
  const { sizes, size, icc } = structure;
  const of = `${data}, ${structure.groups} groups of ${size} (${sizes}), correlation ${icc}`;
  const asked = groups === undefined ? "" : `, ${groups} groups asked for`;
  const says = `${(100 * pass).toFixed(2)} % of ${runs} pass at ${limit.toPrecision(3)}${asked}`;
  const plan = groups === undefined ? {} : { asked: groups };
  return {
    name: `${promise}: ${of}`,
    good,
    says,
    figures: { promise, data, ...structure, limit, runs, pass, bar, ...plan },
  };
}
