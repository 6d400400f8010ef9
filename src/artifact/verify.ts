/** The policy: what must be true before an artifact is trusted. Reads bytes and keys only; runs nothing. */
import type { KeyObject } from "node:crypto";
import { toSignedEntity, Verifier } from "@sigstore/verify";
import { CompileError } from "../error.ts";
import { type Bundle, type Opened, openBundle } from "./bundle.ts";
import { canonicalBytes, type Json } from "./canonical.ts";
import { type SealedArtifact, sha256 } from "./container.ts";
import { checkEvidence, checkLineage, checkTestResult } from "./evidence.ts";
import { fingerprint } from "./keys.ts";
import { familyOf, METRICS, PROVENANCE, type Statement, SUMMARY, TEST_RESULT } from "./statement.ts";

const MAX_ATTESTATIONS = 256;

export interface TrustedKeys {
  /** Public half of the key that the build signs with. */
  readonly build: KeyObject;
  /** Public half of the certifier's key; must be another one. */
  readonly certifier: KeyObject;
  /** Public half of a gate's key: then its verification summary is wanted, too. */
  readonly gate?: KeyObject;
}

/** What the signatures say, once they are believed. */
export interface Claims {
  readonly provenance: Statement;
  readonly testResult: Statement;
  readonly metrics: Statement;
  /** The gate's, where its key was given. */
  readonly summary?: Statement;
}

/** The bundles beside the sealed sections, as yet unbelieved. Throws CompileError trust/attestations. */
export function attestationsOf(artifact: SealedArtifact): unknown[] {
  const section = artifact.sections.get("attestations");
  if (section === undefined) return [];
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(section));
    if (Array.isArray(value) && value.length <= MAX_ATTESTATIONS) return value;
  } catch {
    // Reported below, as any other malformed section is.
  }
  throw new CompileError("trust/attestations", "the attestations are malformed", { where: "section attestations" });
}

/** All attestations, opened, none twice. Throws trust/duplicate-attestation, and what openBundle throws. */
export function openAll(artifact: SealedArtifact): Opened[] {
  const opened = attestationsOf(artifact).map(openBundle);
  const seen = new Set<string>();
  for (const { payload, hint, statement } of opened) {
    const name = `${hint} ${sha256(payload)}`;
    if (!seen.has(name)) {
      seen.add(name);
      continue;
    }
    throw new CompileError("trust/duplicate-attestation", `one claim stands here twice: ${statement.predicateType}`, {
      where: "section attestations",
      remedy: "Somebody wrote into the artifact after it was signed: get it again from where it was certified.",
    });
  }
  return opened;
}

/**
 * Wants the build's provenance by the build's key, and the certifier's test result and metrics by the certifier's key,
 * each about this very digest and about each other, the lineage and evidence in the file to be those that were signed,
 * and with a gate's key its summary.
 */
export function verifyAttestations(artifact: SealedArtifact, keys: TrustedKeys): Claims {
  checkRoles(keys);
  const opened = openAll(artifact);
  if (opened.length === 0) throw unsigned(artifact);
  const roles: Role[] = [
    { who: "the build", key: keys.build },
    { who: "the certifier", key: keys.certifier },
  ];
  const [build, certifier] = roles;
  const provenance = claim(opened, PROVENANCE, build, certifier, artifact);
  const testResult = claim(opened, TEST_RESULT, certifier, build, artifact);
  const metrics = claim(opened, METRICS, certifier, build, artifact);
  checkLineage(artifact, provenance);
  checkTestResult(testResult, metrics);
  checkEvidence(artifact, metrics);
  if (keys.gate === undefined) return { provenance, testResult, metrics };
  const summary = claim(opened, SUMMARY, { who: "the gate", key: keys.gate }, build, artifact);
  checkUpToDate(artifact, opened, [testResult, metrics], summary);
  return { provenance, testResult, metrics, summary };
}

/** A gate's word is about the claims that lay before it: of a certification that came later it says nothing. */
function checkUpToDate(
  artifact: SealedArtifact,
  opened: readonly Opened[],
  claims: readonly Statement[],
  { predicate }: Statement,
): void {
  const seen = JSON.stringify(predicate.inputAttestations ?? []);
  const bundles = attestationsOf(artifact);
  const late = claims.find((one) => {
    const at = opened.findLastIndex(({ statement }) => statement === one);
    return !seen.includes(sha256(canonicalBytes(bundles[at] as Json)));
  });
  if (late === undefined) return;
  throw new CompileError("trust/stale-summary", "the gate passed an earlier certification, not the last one", {
    where: late.predicateType,
    remedy: "Run the gate again, with --attest.",
  });
}

interface Role {
  readonly who: "the build" | "the certifier" | "the gate";
  readonly key: KeyObject;
}

function checkRoles({ build, certifier, gate }: TrustedKeys): void {
  const same = (message: string) =>
    new CompileError("trust/same-key", message, {
      remedy: "The build must not judge itself: certify with a key of its own.",
    });
  if (fingerprint(build) === fingerprint(certifier)) {
    throw same("the build's key and the certifier's key are one and the same");
  }
  if (gate && fingerprint(gate) === fingerprint(build)) {
    throw same("the build's key and the gate's key are one and the same");
  }
}

export function unsigned(artifact: SealedArtifact): CompileError {
  return new CompileError("trust/unsigned", "nobody signed this artifact", {
    where: artifact.digest,
    remedy: "Build with `key` and `certifierKey` in the recipe, or pass --unsigned to check the bytes alone.",
  });
}

/** Fingerprints of the keys that claim to have signed the build; as yet unbelieved. */
export function buildersOf(artifact: SealedArtifact): string[] {
  const made = attestationsOf(artifact).map(openBundle);
  return made.filter(({ statement }) => statement.predicateType === PROVENANCE).map(({ hint }) => hint);
}

const REMEDIES = {
  "the build": "Build with a key.",
  "the certifier": "Run `optimus-compile certify` with the certifier's key.",
  "the gate": "Run `optimus-compile attest` with the gate's key.",
} as const;

/**
 * The one claim of a kind, by the key that may make it. Others of the kind, by other keys, are not believed.
 * @param other who must not have made this claim
 */
function claim(opened: readonly Opened[], kind: string, role: Role, other: Role, artifact: SealedArtifact): Statement {
  const { who, key } = role;
  const made = opened.filter(({ statement }) => statement.predicateType === kind);
  if (made.length === 0) throw missing(opened, kind, who, artifact);
  const ours = made.filter(({ hint }) => hint === fingerprint(key));
  if (ours.length === 0) throw strange(made[0].hint, role, other);
  // The last is the newest: attestations are only ever appended.
  const { bundle, statement } = ours.at(-1)!;
  verifySignature(bundle, key, who);
  const subject = `sha256:${statement.subject[0].digest.sha256}`;
  if (subject !== artifact.digest) {
    throw new CompileError("trust/wrong-subject", `${who} signed another artifact`, {
      where: `signed ${subject}, found ${artifact.digest}`,
      remedy: "The artifact was changed, or the attestation is of another one: do not trust this artifact.",
    });
  }
  return statement;
}

function missing(opened: readonly Opened[], kind: string, who: Role["who"], artifact: SealedArtifact): CompileError {
  const others = opened.map(({ statement }) => statement.predicateType);
  const version = others.find((other) => other !== kind && familyOf(other) === familyOf(kind));
  if (version !== undefined) {
    return new CompileError("trust/predicate-version", `${who}'s claim is of another version: ${version}`, {
      where: `wanted ${kind}`,
      remedy: "What another version's words mean is not known here: certify with this version.",
    });
  }
  return new CompileError("trust/missing-attestation", `${who} has signed nothing of this kind: ${kind}`, {
    where: artifact.digest,
    remedy: REMEDIES[who],
  });
}

function strange(hint: string, { who, key }: Role, other: Role): CompileError {
  const where = fingerprint(key);
  const remedy = `Give ${who}'s public key, or do not trust this artifact.`;
  if (hint !== fingerprint(other.key) || other.who !== "the build") {
    const message = `${who}'s signature is by ${hint}, not by the key given`;
    return new CompileError("trust/wrong-key", message, { where, remedy });
  }
  const message = `${who}'s claim is signed with the build's key: the build vouches for itself`;
  return new CompileError("trust/build-as-certifier", message, { where: hint, remedy });
}

/** Throws CompileError trust/signature. */
export function verifySignature(bundle: Bundle, key: KeyObject, who: string): void {
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: key, validFor: () => true }),
  };
  try {
    new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(toSignedEntity(bundle));
  } catch (error) {
    throw new CompileError("trust/signature", `${who}'s signature does not hold`, {
      where: fingerprint(key),
      remedy: "The claim was changed after it was signed: do not trust this artifact.",
      cause: error,
    });
  }
}
