/**
 * The ledger of looks: who looked at which certification data, for which artifact, and what the look cost. Lines of JSON,
 * each naming the digest of the line before it, each signed by the certifier where he has a key; so nothing can be taken
 * out, changed or put in between.
 */
import type { KeyObject } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { z } from "zod";
import { type Opened, openBundle } from "../artifact/bundle.ts";
import { canonicalBytes, type Json } from "../artifact/canonical.ts";
import { sha256 } from "../artifact/container.ts";
import { isAlive, readRegularFile, writeFileAtomic } from "../artifact/file.ts";
import { signStatement } from "../artifact/sign.ts";
import { makeStatement } from "../artifact/statement.ts";
import { verifySignature } from "../artifact/verify.ts";
import { CompileError } from "../error.ts";
import { alphaOfLook } from "../evidence/statistics/spending.ts";

/** What the certifier says with each line. */
export const LOOK = "urn:optimus-compile:attestation:look:v1";

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const LookSchema = z.strictObject({
  schema: z.literal("optimus-compile/look@1"),
  /** Of this data: the first look at it is 1. */
  look: z.int().positive(),
  alpha: z.number().positive(),
  /** Of the data that was looked at, and the smallest of its samples' digests, by which a part of it is known again. */
  data: Digest,
  samples: z.int().positive(),
  sketch: z.array(z.string().regex(/^[0-9a-f]{16}$/)).max(256),
  artifact: Digest,
  /** Digest of the line before, or of nothing. */
  previous: z.string(),
});
const LineSchema = z.strictObject({ look: LookSchema, bundle: z.unknown().optional() });

export type Look = z.infer<typeof LookSchema>;

const MAX_BYTES = 256 * 2 ** 20;
const SKETCH = 128;

/** The smallest digests of the samples: those of a part of the data are among the small ones of the whole. */
export function sketchOf(hashes: readonly string[]): string[] {
  const short = hashes.map((hash) => sha256(new TextEncoder().encode(hash)).slice(0, 16));
  return [...new Set(short)].sort().slice(0, SKETCH);
}

/** Whether two sketches are of data that share samples. */
function related(a: readonly string[], b: readonly string[]): boolean {
  const known = new Set(a);
  return b.some((digest) => known.has(digest));
}

/**
 * The looks that a ledger tells of, oldest first; none where there is no file. Throws trust/ledger where a line is not
 * what was written, or with a key, where it was not signed by it.
 */
export function readLedger(path: string, key?: KeyObject): Look[] {
  if (!existsSync(path)) return [];
  const text = new TextDecoder().decode(readRegularFile(path, "ledger", MAX_BYTES));
  const lines = text.split("\n").filter((line) => line !== "");
  let previous = "";
  return lines.map((line, index) => {
    const wrong = (why: string) =>
      new CompileError("trust/ledger", `the ledger of looks is not as it was written: ${why}`, {
        where: `${path}, line ${index + 1}`,
        remedy: "Get the ledger from where it is kept; evidence that stands on a changed one proves nothing.",
      });
    const { look, bundle } = parseLine(line) ?? raise(wrong("this line cannot be read"));
    if (look.previous !== previous) throw wrong("it does not follow the line before it");
    previous = `sha256:${sha256(new TextEncoder().encode(line))}`;
    if (key) checkSigned(look, bundle, key, wrong);
    return look;
  });
}

function raise(error: CompileError): never {
  throw error;
}

function parseLine(line: string): z.infer<typeof LineSchema> | undefined {
  try {
    const result = LineSchema.safeParse(JSON.parse(line));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

function checkSigned(look: Look, value: unknown, key: KeyObject, wrong: (why: string) => CompileError): void {
  if (value === undefined) throw wrong("nobody signed it");
  let opened: Opened;
  try {
    opened = openBundle(value);
  } catch {
    throw wrong("its signature cannot be read");
  }
  try {
    verifySignature(opened.bundle, key, "the certifier");
  } catch {
    throw wrong("its signature is not the certifier's");
  }
  const { statement } = opened;
  const same = Buffer.from(canonicalBytes(statement.predicate as Json)).equals(canonicalBytes(look));
  if (!same || statement.predicateType !== LOOK) throw wrong("what was signed is another look");
}

export interface LookedAt {
  readonly artifact: string;
  readonly data: string;
  /** Of each sample. */
  readonly hashes: readonly string[];
}

/**
 * Writes down that an artifact is about to be judged, and says what that costs. The same artifact on the same data is no
 * further look: its answer is known. Another process that looks at the same time waits its turn.
 */
export async function takeLook(path: string, { artifact, data, hashes }: LookedAt, key?: KeyObject): Promise<Look> {
  return await locked(path, async () => {
    const looks = readLedger(path, key);
    const known = looks.find((look) => look.artifact === artifact && look.data === data);
    if (known) return known;
    const sketch = sketchOf(hashes);
    const before = looks.filter((look) => look.data === data || related(look.sketch, sketch));
    const number = before.length + 1;
    const look: Look = {
      schema: "optimus-compile/look@1",
      look: number,
      alpha: alphaOfLook(number),
      data,
      samples: hashes.length,
      sketch,
      artifact,
      previous: headOf(path),
    };
    const bundle = key && (await signStatement(makeStatement(artifact, LOOK, look), key));
    const line = new TextDecoder().decode(canonicalBytes({ look, ...(bundle && { bundle }) } as unknown as Json));
    const written = existsSync(path) ? readRegularFile(path, "ledger", MAX_BYTES) : new Uint8Array();
    writeFileAtomic(path, [written, `${line}\n`]);
    return look;
  });
}

/** Digest of the last line, or nothing. */
export function headOf(path: string): string {
  if (!existsSync(path)) return "";
  const lines = new TextDecoder().decode(readRegularFile(path, "ledger", MAX_BYTES)).split("\n");
  const last = lines.filter((line) => line !== "").at(-1);
  return last === undefined ? "" : `sha256:${sha256(new TextEncoder().encode(last))}`;
}

const PATIENCE_MS = 30_000;
const PAUSE_MS = 50;

async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  for (let waited = 0; ; waited += PAUSE_MS) {
    try {
      const file = openSync(lock, "wx");
      writeSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new CompileError("usage/cannot-write", "cannot write the ledger of looks", { where: path });
      }
      if (isAbandoned(lock)) {
        rmSync(lock, { force: true });
        continue;
      }
      if (waited >= PATIENCE_MS) {
        throw new CompileError("usage/cannot-write", "another certification holds the ledger of looks", {
          where: lock,
          remedy: "Wait for it to end; if none runs, remove this file.",
        });
      }
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Whether whoever made the lock was killed. */
function isAbandoned(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, "utf8"));
    return pid > 0 && !isAlive(pid);
  } catch {
    // It was removed just now.
    return false;
  }
}
