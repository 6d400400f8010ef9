import { createHash } from "node:crypto";
import { CompileError } from "../error.ts";
import type { DataArray, Dataset, Sample } from "./dataset.ts";

/** What is remembered of a sample to tell whether another split holds it too. */
export type Fingerprint = Pick<Sample, "id" | "group" | "hash">;

/** With the class that a sample is labelled with, where its target is one whole number. */
export interface Labelled extends Fingerprint {
  readonly label?: number;
}

/** Samples after which whoever wants to stop the program is heard. */
const BREATH = 64;

/** One pass over the data, a sample in memory at a time. Throws the signal's reason. */
export async function fingerprintsOf(dataset: Dataset, signal?: AbortSignal): Promise<Labelled[]> {
  const found: Labelled[] = [];
  for (let index = 0; index < dataset.length; index++) {
    if (index % BREATH === BREATH - 1) await new Promise(setImmediate);
    signal?.throwIfAborted();
    const { id, group, hash, target } = await dataset.read(index);
    const label = labelOf(target);
    found.push({ id, group, hash, ...(label !== undefined && { label }) });
  }
  return found;
}

function labelOf(target: DataArray | string | undefined): number | undefined {
  if (target === undefined || typeof target === "string" || target.data.length !== 1) return undefined;
  const label = Number(target.data[0]);
  return Number.isInteger(label) ? label : undefined;
}

/** Identifies the data by content and order: sha256 over the samples' hashes. */
export function digestOf(samples: Iterable<Pick<Fingerprint, "hash">>): string {
  const digest = createHash("sha256");
  for (const { hash } of samples) digest.update(`${hash}\n`);
  return `sha256:${digest.digest("hex")}`;
}

const SHOWN = 3;

/**
 * Evidence from data that the compiler saw, or that shares a source with it, is worth nothing.
 * @throws CompileError `usage/leak`, naming samples, where two splits share a sample's content or a group.
 */
export function checkDisjoint(splits: ReadonlyMap<string, readonly Fingerprint[]>): void {
  const byHash = new Map<string, readonly [string, Fingerprint]>();
  const byGroup = new Map<string, readonly [string, Fingerprint]>();
  const leaks: string[] = [];
  let count = 0;
  for (const [split, samples] of splits) {
    for (const sample of samples) {
      const twin = otherIn(byHash, sample.hash, split, sample);
      const kin = twin ? undefined : otherIn(byGroup, sample.group, split, sample);
      const found = twin ?? kin;
      if (found === undefined) continue;
      const why = twin ? "have the same content" : `belong to the group ${JSON.stringify(sample.group)}`;
      if (count++ < SHOWN) leaks.push(`${found[0]} sample ${found[1].id} and ${split} sample ${sample.id} ${why}`);
    }
  }
  if (count === 0) return;
  const more = count > leaks.length ? `; and ${count - leaks.length} more` : "";
  throw new CompileError("usage/leak", `the data splits are not disjoint: ${leaks.join("; ")}${more}`, {
    where: "data",
    remedy: "give each split its own sources, or use the readers' `split` option, which divides by group",
  });
}

/** The first sample under this key, if another split put it there; remembers this one otherwise. */
function otherIn(
  seen: Map<string, readonly [string, Fingerprint]>,
  key: string,
  split: string,
  sample: Fingerprint,
): readonly [string, Fingerprint] | undefined {
  const first = seen.get(key);
  if (first === undefined) seen.set(key, [split, sample]);
  return first !== undefined && first[0] !== split ? first : undefined;
}
