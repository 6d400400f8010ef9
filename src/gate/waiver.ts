/** Waivers: somebody's signed word that a gate of one artifact may fail until a day. */
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { openBundle } from "../artifact/bundle.ts";
import { canonicalBytes, type Json } from "../artifact/canonical.ts";
import { sha256 } from "../artifact/container.ts";
import { readRegularFile } from "../artifact/file.ts";
import { fingerprint } from "../artifact/keys.ts";
import { signStatement } from "../artifact/sign.ts";
import { makeStatement } from "../artifact/statement.ts";
import { verifySignature } from "../artifact/verify.ts";
import { CompileError } from "../error.ts";
import { GATES } from "../evidence/gates.ts";
import type { RefusedWaiver } from "../report/gate-document.ts";
import { didYouMean } from "../suggest.ts";
import { relativeLimits } from "./budgets.ts";

export const WAIVER = "urn:optimus-compile:attestation:waiver:v1";

/** A day as `YYYY-MM-DD` that the calendar has. */
export const day = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, "a day is YYYY-MM-DD")
  .refine((text) => {
    const time = Date.parse(`${text}T00:00:00Z`);
    return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
  }, "the calendar has no such day");

const waiverSchema = z.strictObject({
  gate: z.string().min(1).max(64),
  /** `sha256:…` of one artifact, or the name that a recipe gives to all of its artifacts. */
  artifact: z.string().min(1).max(256),
  /** The last day on which it holds, in UTC. */
  until: day,
  reason: z.string().min(1).max(2000),
});

export type Waiver = z.infer<typeof waiverSchema>;

/** A waiver whose signature is believed. */
export interface SignedWaiver extends Waiver {
  readonly file: string;
  /** Fingerprint of the key that signed it. */
  readonly by: string;
}

const isDigest = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

/** What the statement is about: the artifact, or the digest of the name where it is about a name. */
const subjectOf = (artifact: string): string =>
  isDigest(artifact) ? artifact : `sha256:${sha256(`name:${artifact}`)}`;

/** Every gate that can be waived: those of recipes, and those of budgets beside a baseline. */
function gateNames(): string[] {
  return [...Object.keys(GATES), ...Object.keys(relativeLimits.shape).map((name) => `baseline.${name}`)];
}

/** Throws usage/unknown-gate, usage/waiver. */
export function checkWaiver(value: Waiver): Waiver {
  const parsed = waiverSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new CompileError("usage/waiver", `${path.join(".")}: ${message}`, {
      where: "waiver",
      remedy: "For example --gate maxCycles --artifact ocr-rec --until 2027-01-31 --reason 'the array moved'.",
    });
  }
  requireGate(parsed.data.gate, "waiver");
  return parsed.data;
}

function requireGate(gate: string, where: string): void {
  if (gateNames().includes(gate)) return;
  throw new CompileError("usage/waiver-unknown-gate", `there is no gate ${JSON.stringify(gate)} to waive`, {
    where,
    remedy: didYouMean(gate, gateNames()),
  });
}

/** The waiver as a DSSE bundle, signed. */
export async function signWaiver(waiver: Waiver, key: KeyObject): Promise<Uint8Array> {
  const { artifact } = checkWaiver(waiver);
  const statement = makeStatement(subjectOf(artifact), WAIVER, { ...waiver });
  return canonicalBytes((await signStatement(statement, key)) as unknown as Json);
}

const MAX_BYTES = 64 * 1024;

/**
 * A waiver that one of `keys` signed. Throws trust/waiver where the file is none or says two things, trust/waiver-key where
 * another key signed it, trust/signature where it was changed, and usage/waiver-unknown-gate.
 */
export function readWaiver(file: string, keys: readonly KeyObject[]): SignedWaiver {
  const malformed = (message: string, cause?: unknown) =>
    new CompileError("trust/waiver", `this is no waiver: ${message}`, {
      where: file,
      remedy: "Have it written by `optimus-compile waive`.",
      cause,
    });
  const { bundle, statement, hint } = open(file, malformed);
  const key = keys.find((known) => fingerprint(known) === hint);
  if (key === undefined) {
    throw new CompileError("trust/waiver-key", "the waiver is signed by a key that may not waive anything", {
      where: `${file}: signed by ${hint}`,
      remedy: "Have it signed by who may, or give his public key as --waiver-key.",
    });
  }
  verifySignature(bundle, key, "the waiver");
  if (statement.predicateType !== WAIVER)
    throw malformed(`it is a signed statement of the kind ${statement.predicateType}`);
  const parsed = waiverSchema.safeParse(statement.predicate);
  if (!parsed.success) throw malformed(parsed.error.issues[0].message);
  if (subjectOf(parsed.data.artifact) !== `sha256:${statement.subject[0].digest.sha256}`) {
    throw malformed("its subject is not the artifact that it names");
  }
  requireGate(parsed.data.gate, file);
  return { ...parsed.data, file, by: hint };
}

function open(file: string, malformed: (message: string, cause?: unknown) => CompileError) {
  const bytes = readRegularFile(file, "waiver", MAX_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw malformed("it is no JSON", cause);
  }
  try {
    return openBundle(value);
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Whether a waiver is about an artifact. */
export function isAbout(waiver: Waiver, { name, digest }: { readonly name: string; readonly digest: string }): boolean {
  return waiver.artifact === (isDigest(waiver.artifact) ? digest : name);
}

/** Those that hold on a day for any of the artifacts; the others with the reason why not. */
export function sortWaivers(
  waivers: readonly SignedWaiver[],
  artifacts: readonly { readonly name: string; readonly digest: string }[],
  today: string,
): { readonly valid: readonly SignedWaiver[]; readonly refused: readonly RefusedWaiver[] } {
  const valid: SignedWaiver[] = [];
  const refused: RefusedWaiver[] = [];
  for (const waiver of waivers) {
    const { file, gate, until, artifact } = waiver;
    const refuse = (code: string, says: string) => refused.push({ file, gate, code, says });
    if (until < today) refuse("gate/waiver-expired", `the waiver of ${gate} ended on ${until}`);
    else if (!artifacts.some((known) => isAbout(waiver, known))) {
      refuse("gate/waiver-other-artifact", `the waiver of ${gate} is for ${artifact}, which is not judged here`);
    } else valid.push(waiver);
  }
  return { valid, refused };
}
