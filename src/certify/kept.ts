/** Outcomes that were computed before: of the same record and teacher, on samples that are still what they were. */
import { createHash, hkdfSync, type KeyObject } from "node:crypto";
import { sha256 } from "../artifact/container.ts";
import { type Cache, openCache } from "../cache/store.ts";
import type { Dataset, Sample } from "../data/dataset.ts";
import type { CertifyAnswer, CertifyWork } from "./task.ts";

export interface KeptOutcomes {
  readonly cache: Cache;
  readonly depends: object;
}

export interface KeptFacts {
  /** Digests of the teacher's file and of the weights beside it, which were compared with what is there. */
  readonly teacher: object;
  /** What else decides an outcome: the program's own version, and what its arithmetic runs on. */
  readonly tool: object;
  /** The data's, where it has one. */
  readonly origin?: string;
  readonly key?: KeyObject;
  readonly warn?: (text: string) => void;
}

const STAGE = "certify";

/**
 * Where outcomes are kept. A certifier with a key believes what he himself kept alone: who made the artifact may write to
 * the folder, too. Undefined where there is no folder, and for a metric of the user's own, whose imports nobody knows.
 */
export function keepOutcomes(
  folder: string | undefined,
  work: CertifyWork,
  { teacher, tool, origin, key, warn }: KeptFacts,
): KeptOutcomes | undefined {
  const metric = typeof work.metric === "string" ? work.metric : String(work.metric.name);
  if (folder === undefined || !/^[A-Za-z]+$/.test(metric)) return undefined;
  const secret = key && secretOf(key);
  const depends = {
    tool,
    record: sha256(work.record),
    teacher,
    inputs: work.inputs,
    metric: work.metric,
    wanted: [...work.wanted],
    data: work.data,
    origin: origin ?? null,
  };
  return { cache: openCache(folder, { ...(secret && { secret }), ...(warn && { warn }) }), depends };
}

function secretOf(key: KeyObject): Uint8Array {
  const der = key.export({ type: "pkcs8", format: "der" });
  return new Uint8Array(hkdfSync("sha256", der, "", "optimus-compile kept outcomes", 32));
}

/**
 * What is kept, if every sample that the data has now is the one that was judged: seen by its content, or known by the
 * data's origin, which is among what the entry depends on.
 */
export async function recallOutcomes(
  { cache, depends }: KeptOutcomes,
  dataset: Dataset,
): Promise<CertifyAnswer | undefined> {
  const kept = cache.get<CertifyAnswer>(STAGE, depends);
  if (kept === undefined || kept.contents.length !== dataset.length) return undefined;
  if (dataset.origin !== undefined) return kept;
  for (let index = 0; index < dataset.length; index++) {
    if (contentOf(await dataset.read(index)) !== kept.contents[index]) return undefined;
  }
  return kept;
}

export function rememberOutcomes({ cache, depends }: KeptOutcomes, outcomes: CertifyAnswer): void {
  cache.put(STAGE, depends, outcomes);
}

/** sha256 over everything that an outcome is made of: inputs, target, and the labels that go with it. */
export function contentOf({ id, group, sequence, slices, target, hash }: Sample): string {
  const digest = createHash("sha256").update(hash);
  digest.update(JSON.stringify([id, group, sequence, [...slices], typeof target === "string" ? target : null]));
  if (target !== undefined && typeof target !== "string") {
    const { dtype, shape, data } = target;
    digest.update(`${dtype}[${shape.join()}]`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return digest.digest("hex");
}
