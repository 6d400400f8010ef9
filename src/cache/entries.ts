import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "../artifact/file.ts";

/** How an entry's file name ends. */
export const ENTRY = ".stage";
export const DEFAULT_MAX_BYTES = 4 * 2 ** 30;

const NAME = /^([a-z]+)-([0-9a-f]{64})\.stage$/;
const TEMPORARY = /^\.[a-z]+-[0-9a-f]{64}\.stage\.(\d+)\.tmp$/;

export interface Entry {
  readonly file: string;
  readonly stage: string;
  readonly digest: string;
  readonly bytes: number;
  /** When it was last used: milliseconds since 1970. */
  readonly used: number;
}

/** What a folder keeps, the most recently used first. Other files are nobody's business. */
export function listEntries(folder: string): Entry[] {
  const entries: Entry[] = [];
  for (const file of filesOf(folder)) {
    const [, stage, digest] = NAME.exec(file) ?? [];
    const status = stage && lstatSync(join(folder, file), { throwIfNoEntry: false });
    if (!status || !stage || !digest || !status.isFile()) continue;
    entries.push({ file, stage, digest, bytes: status.size, used: status.mtimeMs });
  }
  return entries.sort((a, b) => b.used - a.used || (a.file < b.file ? -1 : 1));
}

export interface PruneLimits {
  /** Bytes that may stay. */
  readonly maxBytes?: number;
  /** Entries that were last used before this moment go: milliseconds since 1970. */
  readonly before?: number;
}

/** Removes entries, the least recently used first, and what killed builds left half-written. @returns what went */
export function prune(folder: string, { maxBytes = Number.POSITIVE_INFINITY, before = 0 }: PruneLimits): Entry[] {
  removeHalfWritten(folder);
  const gone: Entry[] = [];
  let kept = 0;
  for (const entry of listEntries(folder)) {
    if (entry.used >= before && kept + entry.bytes <= maxBytes) {
      kept += entry.bytes;
      continue;
    }
    rmSync(join(folder, entry.file), { force: true });
    gone.push(entry);
  }
  return gone;
}

function removeHalfWritten(folder: string): void {
  for (const file of filesOf(folder)) {
    const pid = TEMPORARY.exec(file)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, file), { force: true });
  }
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // There is no such folder until something is kept.
    return [];
  }
}
