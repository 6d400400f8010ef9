/** in-toto statements: what is claimed about an artifact, and by which kind of claim. */
import { z } from "zod";
import type { Json } from "./canonical.ts";

export const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";

/** What the build says: from which teacher, recipe, data and target the artifact came. */
export const PROVENANCE = "https://slsa.dev/provenance/v1";
/** What the certifier says: which gates passed. */
export const TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1";
/** What the certifier measured, with the digest of every sample's outcome. */
export const METRICS = "urn:optimus-compile:attestation:metrics:v1";
/** Which decisions the certifier says may stay on the chip, and under which risk; replaceable without a build. */
export const OPERATING_POINT = "urn:optimus-compile:attestation:operating-point:v1";
/** What a gate says that checked the others' claims: that the artifact may be used, under which policy. */
export const SUMMARY = "https://slsa.dev/verification_summary/v1";

const StatementSchema = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z
    .array(z.strictObject({ name: z.string(), digest: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }) }))
    .length(1),
  predicateType: z.string().max(1024),
  predicate: z.record(z.string(), z.unknown()),
});

export type Statement = z.infer<typeof StatementSchema>;

/** @param digest the artifact's, `sha256:…` */
export function makeStatement(digest: string, predicateType: string, predicate: { [key: string]: Json }): Statement {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: "artifact", digest: { sha256: digest.slice("sha256:".length) } }],
    predicateType,
    predicate,
  };
}

/** The statement that bytes hold, or undefined. */
export function parseStatement(bytes: Uint8Array): Statement | undefined {
  try {
    const result = StatementSchema.safeParse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

/** A kind's name without its version: `https://slsa.dev/provenance`. */
export const familyOf = (kind: string): string => kind.replace(/[/:]v[0-9][0-9.]*$/, "");
