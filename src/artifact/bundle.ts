/**
 * A sigstore bundle as it is read here: one DSSE envelope with one signature by a plain key. The library reads leniently
 * (the first of several signatures, any base64, either of key and certificate), so what it would overlook is refused
 * before it looks.
 */
import { bundleFromJSON } from "@sigstore/bundle";
import { z } from "zod";
import { CompileError } from "../error.ts";
import { PAYLOAD_TYPE, parseStatement, type Statement } from "./statement.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MAX_PAYLOAD = 16 * 2 ** 20;

export type Bundle = ReturnType<typeof bundleFromJSON>;

/** What an attestation claims, and who says that he signed it; both as yet unbelieved. */
export interface Opened {
  readonly bundle: Bundle;
  readonly statement: Statement;
  /** Fingerprint of the key. */
  readonly hint: string;
  /** The bytes that were signed. */
  readonly payload: Uint8Array;
}

const Empty = z.array(z.never()).max(0).optional();
const BundleSchema = z.strictObject({
  mediaType: z.string(),
  verificationMaterial: z.strictObject({
    publicKey: z.strictObject({ hint: z.string().min(1).max(256) }),
    tlogEntries: Empty,
    timestampVerificationData: z.strictObject({ rfc3161Timestamps: Empty }).optional(),
  }),
  dsseEnvelope: z.strictObject({
    payload: z.string().max(MAX_PAYLOAD),
    payloadType: z.string(),
    signatures: z.array(z.strictObject({ sig: z.string().min(1).max(1024), keyid: z.string().optional() })),
  }),
});

/** Throws CompileError trust/attestations, or of the rule that is broken: trust/media-type, trust/several-signatures … */
export function openBundle(value: unknown): Opened {
  checkRules(value);
  const parsed = BundleSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw refused("trust/attestations", `${path.length === 0 ? "the bundle" : path.join(".")}: ${message}`);
  }
  const { dsseEnvelope: envelope, verificationMaterial } = parsed.data;
  for (const [what, text] of [
    ["payload", envelope.payload],
    ["signature", envelope.signatures[0].sig],
  ]) {
    if (!isBase64(text)) throw refused("trust/encoding", `its ${what}'s base64 is not the one form of its bytes`);
  }
  const payload = Buffer.from(envelope.payload, "base64");
  const statement = parseStatement(payload);
  if (statement === undefined) throw refused("trust/statement", "it holds no in-toto statement about one artifact");
  return { bundle: readByLibrary(value), statement, hint: verificationMaterial.publicKey.hint, payload };
}

/** Rules whose breach has a name, before the shape as a whole. */
function checkRules(value: unknown): void {
  const { mediaType, verificationMaterial, dsseEnvelope, messageSignature } = members(value);
  const material = members(verificationMaterial);
  const { payloadType, signatures } = members(dsseEnvelope);
  const tlogs = material.tlogEntries;
  if (typeof mediaType === "string" && mediaType !== MEDIA_TYPE) {
    throw refused("trust/media-type", `it calls itself "${mediaType}" and not "${MEDIA_TYPE}"`);
  }
  if (messageSignature !== undefined) throw refused("trust/envelope", "it signs a message and not a statement");
  if (material.certificate !== undefined || material.x509CertificateChain !== undefined) {
    const also = material.publicKey === undefined ? "" : ", and a key as well";
    throw refused("trust/certificate", `it brings a certificate${also}: who signs here is known by a plain key`);
  }
  if (Array.isArray(tlogs) && tlogs.length > 0) {
    throw refused("trust/transparency-log", "it names a transparency log, which nobody here can ask");
  }
  if (typeof payloadType === "string" && payloadType !== PAYLOAD_TYPE) {
    throw refused("trust/payload-type", `its payload is "${payloadType}" and not "${PAYLOAD_TYPE}"`);
  }
  if (Array.isArray(signatures) && signatures.length !== 1) {
    throw refused("trust/several-signatures", `it has ${signatures.length} signatures, of which one would be checked`);
  }
}

function members(value: unknown): { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null ? (value as { readonly [key: string]: unknown }) : {};
}

/** Standard base64 with its padding, and no bit set that says nothing: the one text of its bytes. */
function isBase64(text: string): boolean {
  return Buffer.from(text, "base64").toString("base64") === text;
}

function readByLibrary(value: unknown): Bundle {
  try {
    return bundleFromJSON(value);
  } catch (error) {
    throw refused("trust/attestations", error instanceof Error ? error.message : String(error));
  }
}

function refused(code: `trust/${string}`, message: string): CompileError {
  return new CompileError(code, `an attestation is malformed: ${message.slice(0, 400)}`, {
    where: "section attestations",
    remedy: "Get the artifact again from where it was certified.",
  });
}
