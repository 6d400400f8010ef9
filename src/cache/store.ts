/**
 * What stages made, kept under a digest of everything that they depend on, so that an unchanged stage is not run again.
 * An entry is a file of its own, which is there whole or not at all; builds at the same time at worst do the same work.
 *
 *     "OCSTAGE1" · 32 bytes HMAC-SHA256 over the name and the rest · the value (V8's serialization)
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { existsSync, mkdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { canonicalBytes, toJson } from "../artifact/canonical.ts";
import { sha256 } from "../artifact/container.ts";
import { readRegularFile, writeFileAtomic } from "../artifact/file.ts";
import { CompileError } from "../error.ts";
import { DEFAULT_MAX_BYTES, ENTRY, prune } from "./entries.ts";

const MAGIC = Buffer.from("OCSTAGE1");
const MAC_BYTES = 32;

/** A stage's value, and whether it was there already. */
export interface Kept<T> {
  readonly value: T;
  readonly cached: boolean;
}

export interface Cache {
  /** `depends` says it in plain JSON. The value that is kept for the stage and all that it depends on; where there is none, what `make` makes, from now on. */
  through<T>(stage: string, depends: object, make: () => T | Promise<T>): Promise<Kept<T>>;
  /** The kept value if there is one. */
  get<T>(stage: string, depends: object): T | undefined;
  put(stage: string, depends: object, value: unknown): void;
}

export interface CacheOptions {
  /** Only who knows it can make entries that are believed: a certifier's own. */
  readonly secret?: Uint8Array;
  /** Told of entries that are not as they were written, and of a folder that cannot be written. */
  readonly warn?: (message: string) => void;
  /** Bytes that the folder may hold; the entries that were used least recently go first. */
  readonly maxBytes?: number;
}

/** `folder` undefined: nothing is kept, and every stage runs. */
export function openCache(folder: string | undefined, options: CacheOptions = {}): Cache {
  const get = <T>(stage: string, depends: object) =>
    folder === undefined ? undefined : read<T>(folder, nameOf(stage, depends, options), options);
  const put = (stage: string, depends: object, value: unknown) => {
    if (folder !== undefined) write(folder, nameOf(stage, depends, options), value, options);
  };
  return {
    get,
    put,
    async through<T>(stage: string, depends: object, make: () => T | Promise<T>) {
      const found = get<{ readonly value: T }>(stage, depends);
      if (found !== undefined) return { value: found.value, cached: true };
      const value = await make();
      put(stage, depends, { value });
      return { value, cached: false };
    },
  };
}

/** The digest is of full content: whatever `depends` tells, and whose secret stands behind it. */
function nameOf(stage: string, depends: object, { secret }: CacheOptions): string {
  const owner = secret && sha256(secret);
  return `${stage}-${sha256(canonicalBytes(toJson({ stage, depends, owner })))}${ENTRY}`;
}

function read<T>(folder: string, name: string, { secret, warn }: CacheOptions): T | undefined {
  const path = join(folder, name);
  if (!existsSync(path)) return undefined;
  try {
    const bytes = readRegularFile(path, "cache entry");
    const start = MAGIC.length + MAC_BYTES;
    if (bytes.length < start || !MAGIC.equals(bytes.subarray(0, MAGIC.length))) throw new Error("cut off");
    const value = bytes.subarray(start);
    if (!timingSafeEqual(bytes.subarray(MAGIC.length, start), macOf(name, value, secret))) throw new Error("changed");
    // A copy, so that typed arrays in it are aligned to the value's own start.
    const found = deserialize(Buffer.from(value)) as T;
    touch(path);
    return found;
  } catch {
    // Two builds may find it at once, and prune may have taken it meanwhile.
    if (!existsSync(path)) return undefined;
    warn?.(`the cache's entry is not as it was written; the stage runs again\n${path}`);
    rmSync(path, { force: true });
    return undefined;
  }
}

function write(folder: string, name: string, value: unknown, { secret, warn, maxBytes }: CacheOptions): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const bytes = serialize(value);
    writeFileAtomic(join(folder, name), [MAGIC, macOf(name, bytes, secret), bytes], 0o600);
    prune(folder, { maxBytes: maxBytes ?? DEFAULT_MAX_BYTES });
  } catch (error) {
    const { message } = error as Error;
    const why = error instanceof CompileError || (error as NodeJS.ErrnoException).code ? message : undefined;
    if (why === undefined) throw error;
    warn?.(`nothing is kept in the cache: ${why}\n${folder}`);
  }
}

const macOf = (name: string, value: Uint8Array, secret: Uint8Array = new Uint8Array()): Buffer =>
  createHmac("sha256", secret).update(`${name}\0`).update(value).digest();

/** Used now, so that it is not among the first to go. */
function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // In a folder that can only be read nothing is pruned either.
  }
}
