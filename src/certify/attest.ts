import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { canonicalBytes, type Json, toJson } from "../artifact/canonical.ts";
import { type Artifact, type SealedArtifact, sha256 } from "../artifact/container.ts";
import { signStatement } from "../artifact/sign.ts";
import { METRICS, makeStatement, TEST_RESULT } from "../artifact/statement.ts";
import { attestationsOf } from "../artifact/verify.ts";
import type { GateResult, Verdict } from "../evidence/gates.ts";

const OpeningSchema = z.strictObject({ number: z.int(), data: z.string(), samples: z.int() });

/** One look at the certification data: each makes the next worth less. */
export type Opening = z.infer<typeof OpeningSchema>;

/** The looks that the artifact's evidence tells of. */
export function openingsOf(artifact: SealedArtifact): Opening[] {
  const section = artifact.sections.get("evidence");
  if (section === undefined) return [];
  const evidence: unknown = JSON.parse(new TextDecoder().decode(section));
  return z.object({ openings: z.array(OpeningSchema) }).parse(evidence).openings;
}

interface Judged {
  readonly digest: string;
  readonly verdict: Verdict;
  readonly gates: readonly GateResult[];
  readonly accuracy: object;
  readonly looked: object;
  readonly openings: readonly Opening[];
}

const RESULTS = { pass: "PASSED", fail: "FAILED", incomplete: "WARNED" } as const;

/**
 * The artifact with its evidence, and with a key what the certifier says about it: which gates passed (in-toto's
 * test-result), and what was measured, with the digest of the evidence, which holds every sample's outcome.
 */
export async function attest(
  artifact: SealedArtifact,
  evidence: Uint8Array,
  { digest, verdict, gates, accuracy, looked, openings }: Judged,
  key: KeyObject | undefined,
): Promise<Artifact> {
  const sections = new Map(artifact.sections).set("evidence", evidence);
  if (key === undefined) return { manifest: artifact.manifest, sections };
  const evidenceDigest = sha256(evidence);
  const passed = (wanted: boolean) =>
    gates.filter((gate) => (gate.verdict === "pass") === wanted).map(({ gate }) => gate);
  const testResult = makeStatement(digest, TEST_RESULT, {
    result: RESULTS[verdict],
    configuration: [{ name: "evidence", digest: { sha256: evidenceDigest } }],
    passedTests: passed(true),
    failedTests: passed(false),
  });
  const opened = openings.at(-1);
  const metrics = makeStatement(digest, METRICS, {
    evidenceDigest,
    ...(opened && { data: { digest: opened.data, samples: opened.samples } }),
    accuracy: toJson(accuracy),
    looked: toJson(looked),
  });
  const bundles = [...attestationsOf(artifact)];
  for (const statement of [testResult, metrics]) bundles.push(await signStatement(statement, key));
  return { manifest: artifact.manifest, sections: sections.set("attestations", canonicalBytes(bundles as Json)) };
}
