/** The policy: what must be true before an artifact is trusted. Reads bytes and keys only; runs nothing. */
import { createHash, type KeyObject } from "node:crypto";
import { bundleFromJSON, isBundleWithDsseEnvelope, isBundleWithPublicKey } from "@sigstore/bundle";
import { toSignedEntity, Verifier } from "@sigstore/verify";
import { CompileError } from "../error.ts";
import type { SealedArtifact } from "./container.ts";
import { fingerprint } from "./keys.ts";
import { METRICS, PAYLOAD_TYPE, PROVENANCE, parseStatement, type Statement, TEST_RESULT } from "./statement.ts";

const MAX_ATTESTATIONS = 256;

export interface TrustedKeys {
  /** Public half of the key that the build signs with. */
  readonly build: KeyObject;
  /** Public half of the certifier's key; must be another one. */
  readonly certifier: KeyObject;
}

/** What the signatures say, once they are believed. */
export interface Claims {
  readonly provenance: Statement;
  readonly testResult: Statement;
  readonly metrics: Statement;
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

/**
 * Wants the build's provenance by the build's key, and the certifier's test result and metrics by the certifier's key,
 * each about this very digest, and the lineage and evidence in the file to be those that were signed.
 */
export function verifyAttestations(artifact: SealedArtifact, keys: TrustedKeys): Claims {
  if (fingerprint(keys.build) === fingerprint(keys.certifier)) {
    throw new CompileError("trust/same-key", "the build's key and the certifier's key are one and the same", {
      remedy: "The build must not judge itself: certify with a key of its own.",
    });
  }
  const bundles = attestationsOf(artifact);
  if (bundles.length === 0) throw unsigned(artifact);
  const provenance = claim(bundles, PROVENANCE, "the build", keys.build, artifact);
  const testResult = claim(bundles, TEST_RESULT, "the certifier", keys.certifier, artifact);
  const metrics = claim(bundles, METRICS, "the certifier", keys.certifier, artifact);
  sectionAsSigned(artifact, "lineage", lineageDigest(provenance));
  sectionAsSigned(artifact, "evidence", metrics.predicate.evidenceDigest);
  return { provenance, testResult, metrics };
}

export function unsigned(artifact: SealedArtifact): CompileError {
  return new CompileError("trust/unsigned", "nobody signed this artifact", {
    where: artifact.digest,
    remedy: "Build with `key` and `certifierKey` in the recipe, or pass --unsigned to check the bytes alone.",
  });
}

/** Fingerprints of the keys that claim to have signed the build; as yet unbelieved. */
export function buildersOf(artifact: SealedArtifact): string[] {
  const made = attestationsOf(artifact).map(openEnvelope);
  return made.filter(({ statement }) => statement.predicateType === PROVENANCE).map(({ hint }) => hint);
}

/** The one claim of a kind, by the key that may make it. Others of the kind, by other keys, are not believed. */
function claim(bundles: unknown[], kind: string, who: string, key: KeyObject, artifact: SealedArtifact): Statement {
  const made = bundles.map(openEnvelope).filter(({ statement }) => statement.predicateType === kind);
  if (made.length === 0) {
    throw new CompileError("trust/missing-attestation", `${who} has signed nothing of this kind: ${kind}`, {
      where: artifact.digest,
      remedy: who === "the build" ? "Build with a key." : "Run `optimus-compile certify` with the certifier's key.",
    });
  }
  const wanted = fingerprint(key);
  const ours = made.filter(({ hint }) => hint === wanted);
  if (ours.length === 0) {
    throw new CompileError("trust/wrong-key", `${who}'s signature is by ${made[0].hint}, not by the key given`, {
      where: wanted,
      remedy: `Give ${who}'s public key, or do not trust this artifact.`,
    });
  }
  // The last is the newest: attestations are only ever appended.
  const { bundle, statement } = ours.at(-1)!;
  verifySignature(bundle, key, who);
  const subject = `sha256:${statement.subject[0].digest.sha256}`;
  if (subject !== artifact.digest) {
    throw new CompileError("trust/wrong-subject", `${who} signed another artifact`, {
      where: `signed ${subject}, found ${artifact.digest}`,
    });
  }
  return statement;
}

function openEnvelope(value: unknown) {
  const malformed = (message: string) =>
    new CompileError("trust/attestations", `an attestation is malformed: ${message}`, {
      where: "section attestations",
    });
  let bundle: ReturnType<typeof bundleFromJSON>;
  try {
    bundle = bundleFromJSON(value);
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
  if (!isBundleWithDsseEnvelope(bundle)) throw malformed("it is no DSSE envelope");
  if (!isBundleWithPublicKey(bundle)) throw malformed("it is not signed by a plain key");
  const envelope = bundle.content.dsseEnvelope;
  // The library looks at the first signature only: a second one would be a claim that nobody checks.
  if (envelope.signatures.length !== 1) throw malformed(`it has ${envelope.signatures.length} signatures`);
  if (envelope.payloadType !== PAYLOAD_TYPE) throw malformed(`its payload is "${envelope.payloadType}"`);
  if (bundle.verificationMaterial.tlogEntries.length > 0) throw malformed("it names a transparency log");
  const statement = parseStatement(envelope.payload);
  if (statement === undefined) throw malformed("it holds no in-toto statement");
  return { bundle, statement, hint: bundle.verificationMaterial.content.publicKey.hint };
}

/** Throws CompileError trust/signature. */
export function verifySignature(bundle: ReturnType<typeof bundleFromJSON>, key: KeyObject, who: string): void {
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

/** SLSA provenance has no place of its own for further files: the lineage is one of the run's by-products. */
function lineageDigest(provenance: Statement): unknown {
  const details = provenance.predicate.runDetails as { byproducts?: { name?: string; digest?: { sha256?: string } }[] };
  return details?.byproducts?.find(({ name }) => name === "lineage")?.digest?.sha256;
}

function sectionAsSigned(artifact: SealedArtifact, name: string, signed: unknown): void {
  const section = artifact.sections.get(name);
  const found = section === undefined ? "nothing" : createHash("sha256").update(section).digest("hex");
  if (found === signed) return;
  throw new CompileError("trust/evidence", `the ${name} in the file is not the one that was signed`, {
    where: `section ${name}`,
    remedy: "Get the artifact again from where it was certified.",
  });
}
