import type { DataSpec } from "../data/dataset.ts";
import type { Wanted } from "../data/fit.ts";
import type { SampleRecord } from "../evidence/evaluate.ts";
import type { MetricSpec } from "../evidence/metric.ts";
import type { Recipe } from "../recipe.ts";

/** What a certifying worker is given once. */
export interface CertifyWork {
  /** The quantization record's bytes. */
  readonly record: Uint8Array;
  /** The teacher's file. */
  readonly model: string;
  readonly inputs: Recipe["inputs"];
  readonly data: DataSpec;
  /** The recipe's folder. */
  readonly folder: string;
  readonly metric: MetricSpec;
  readonly wanted: Wanted;
}

/** Samples start … start + length − 1, in order; states are reset before the first. */
export interface CertifyTask {
  readonly start: number;
  readonly length: number;
}

/** Outcomes in the samples' order, and what tells whether another split has them too. */
export interface CertifyAnswer {
  readonly records: readonly SampleRecord[];
  readonly hashes: readonly string[];
  /** Of all that a sample holds, its target and labels with it: what tells that an outcome is still the sample's. */
  readonly contents: readonly string[];
}

/** Without sequences, this many samples are one task. */
const CHUNK = 32;

/** Cuts by index alone, so that the result does not depend on the number of workers. */
export function tasksOf(length: number, sequences: readonly CertifyTask[] | undefined): CertifyTask[] {
  if (sequences !== undefined) return sequences.map(({ start, length: count }) => ({ start, length: count }));
  const tasks: CertifyTask[] = [];
  for (let start = 0; start < length; start += CHUNK) tasks.push({ start, length: Math.min(CHUNK, length - start) });
  return tasks;
}
