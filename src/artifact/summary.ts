/**
 * The gate's word: a verification summary (SLSA's VSA) says who checked the artifact against which policy, and with what
 * result. It sums up what is signed elsewhere, and never claims more: who signs his own provenance is at SLSA Build
 * Level 1 at most.
 */
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { CompileError } from "../error.ts";
import { canonicalBytes, type Json } from "./canonical.ts";
import { type Artifact, type SealedArtifact, sha256 } from "./container.ts";
import { fingerprint } from "./keys.ts";
import { signStatement } from "./sign.ts";
import { makeStatement, SUMMARY } from "./statement.ts";

/** A waived gate: passed though its limit was not kept, by somebody's word, until a day. */
export interface WaivedGate {
  readonly gate: string;
  /** The last day on which it holds, `YYYY-MM-DD`. */
  readonly until: string;
  readonly reason: string;
  /** Fingerprint of the key that signed it. */
  readonly by: string;
}

export interface GateVerdict {
  readonly verdict: "pass" | "fail" | "incomplete";
  /** What was checked: its name, and the digest of its text (`sha256:…`). */
  readonly policy: { readonly name: string; readonly digest: string };
  readonly failed: readonly string[];
  readonly waivers?: readonly WaivedGate[];
}

const Digest = z.strictObject({ sha256: z.string() });
const SummarySchema = z.object({
  policy: z.object({ uri: z.string(), digest: Digest }),
  verificationResult: z.enum(["PASSED", "FAILED"]),
  verifiedLevels: z.array(z.string()),
  failedGates: z.array(z.string()),
  waivers: z.array(
    z.strictObject({
      gate: z.string(),
      until: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
      reason: z.string(),
      by: z.string(),
    }),
  ),
});

export type Summary = z.infer<typeof SummarySchema>;

/** The policy of who takes the certifier's gates for his own: by the digest of what the evidence holds of them. */
export function certifiedGates(artifact: SealedArtifact): GateVerdict["policy"] {
  const evidence = JSON.parse(new TextDecoder().decode(artifact.sections.get("evidence"))) as { gates?: Json };
  return { name: "certification-gates", digest: `sha256:${sha256(canonicalBytes(evidence.gates ?? null))}` };
}

/** Throws trust/same-key where this is the build's own key: it does not judge itself. */
export function requireOwnKey(key: KeyObject, build: KeyObject): void {
  if (fingerprint(key) !== fingerprint(build)) return;
  throw new CompileError("trust/same-key", "the build signed with this very key, and must not judge itself", {
    where: fingerprint(key),
    remedy: "Attest with a key of one's own; `optimus-compile keygen gate` makes one.",
  });
}

/** The most that a build which signs its own provenance reaches. */
const LEVEL = "SLSA_BUILD_LEVEL_1";

/** The artifact with a gate's signed verdict appended. What is incomplete did not pass. */
export async function attestVerdict(
  artifact: SealedArtifact,
  { verdict, policy, failed, waivers = [] }: GateVerdict,
  key: KeyObject,
): Promise<Artifact> {
  const before = earlier(artifact);
  const passed = verdict === "pass";
  const statement = makeStatement(artifact.digest, SUMMARY, {
    verifier: { id: `urn:optimus-compile:gate:${fingerprint(key)}` },
    resourceUri: `urn:optimus-compile:artifact:${artifact.digest}`,
    policy: {
      uri: `urn:optimus-compile:policy:${policy.name}`,
      digest: { sha256: policy.digest.replace("sha256:", "") },
    },
    inputAttestations: before.map((bundle): Json => ({ digest: { sha256: sha256(canonicalBytes(bundle)) } })),
    verificationResult: passed ? "PASSED" : "FAILED",
    verdict,
    verifiedLevels: passed ? [LEVEL] : [],
    failedGates: [...failed],
    waivers: waivers.map(({ gate, until, reason, by }): Json => ({ gate, until, reason, by })),
    slsaVersion: "1.0",
  });
  const bundle = (await signStatement(statement, key)) as unknown as Json;
  const sections = new Map(artifact.sections).set("attestations", canonicalBytes([...before, bundle]));
  return { manifest: artifact.manifest, sections };
}

function earlier(artifact: SealedArtifact): Json[] {
  const section = artifact.sections.get("attestations");
  return section === undefined ? [] : (JSON.parse(new TextDecoder().decode(section)) as Json[]);
}

/**
 * What a gate's summary says, once its signature is believed. Throws trust/expired-waiver where a waiver that it stands
 * on has run out, trust/slsa-level where it claims more than anybody here can know, and gate/summary where it did not pass.
 * @param today `YYYY-MM-DD`, in UTC
 */
export function checkSummary(predicate: unknown, today: string): Summary {
  const parsed = SummarySchema.safeParse(predicate);
  if (!parsed.success) {
    throw new CompileError("trust/predicate", "the gate's summary lacks what it must say", {
      where: "section attestations",
      remedy: "It was signed by another version, or by something else: run the gate with this version.",
    });
  }
  const { verificationResult, verifiedLevels, waivers, failedGates } = parsed.data;
  const above = verifiedLevels.find((level) => level !== LEVEL && level !== "SLSA_BUILD_LEVEL_0");
  if (above !== undefined) {
    throw new CompileError(
      "trust/slsa-level",
      `the gate claims ${above}, and a build that signs for itself has not that`,
      {
        where: "verifiedLevels",
        remedy: "Self-signed provenance is Build Level 1 at most: do not trust this summary.",
      },
    );
  }
  const expired = waivers.find(({ until }) => until < today);
  if (expired !== undefined) {
    throw new CompileError("trust/expired-waiver", `the waiver of ${expired.gate} ended on ${expired.until}`, {
      where: `waived by ${expired.by}: ${expired.reason}`,
      remedy: "Build an artifact that keeps the gate, or have it waived anew.",
    });
  }
  if (verificationResult !== "PASSED") {
    throw new CompileError("gate/summary", "the gate did not let this artifact pass", {
      where: `failed gates: ${failedGates.join(", ") || "none named"}`,
      remedy: "The artifact is what its makers say, but it did not pass.",
    });
  }
  return parsed.data;
}
