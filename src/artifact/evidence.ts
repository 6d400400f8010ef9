/** Whether what lies beside the sealed sections is what was signed, and whether the claims are about one and the same. */
import { z } from "zod";
import { CompileError } from "../error.ts";
import { type SealedArtifact, sha256 } from "./container.ts";
import type { Statement } from "./statement.ts";

export const EVIDENCE_SCHEMA = "optimus-compile/evidence@2";

const Sha256 = z.strictObject({ sha256: z.string() });
const Provenance = z.object({
  buildDefinition: z.object({ resolvedDependencies: z.array(z.object({ name: z.string(), digest: Sha256 })) }),
  runDetails: z.object({ byproducts: z.array(z.object({ name: z.string(), digest: Sha256 })) }),
});
const Lineage = z.object({
  teacher: z.object({ digest: z.string() }),
  data: z.record(z.string(), z.object({ digest: z.string() })),
});

/** The lineage by its digest, which stands among the run's by-products: SLSA has no place of its own for it. */
export function checkLineage(artifact: SealedArtifact, { predicate }: Statement): void {
  const said = Provenance.safeParse(predicate);
  if (!said.success) throw unreadable("the build's provenance lacks what it must say");
  const { buildDefinition, runDetails } = said.data;
  const signed = runDetails.byproducts.find(({ name }) => name === "lineage")?.digest.sha256;
  if (sectionDigest(artifact, "lineage") === signed) return;
  // What differs says more than that something does.
  const found = Lineage.safeParse(jsonOf(artifact, "lineage"));
  for (const { name, digest } of found.success ? buildDefinition.resolvedDependencies : []) {
    const split = name.startsWith("data/") ? found.data?.data[name.slice("data/".length)] : undefined;
    if (split === undefined || split.digest === `sha256:${digest.sha256}`) continue;
    throw new CompileError("trust/dataset", `the lineage names another ${name} than the build signed`, {
      where: `found ${split.digest}, signed sha256:${digest.sha256}`,
      remedy: "The data's digest was swapped after the build: do not trust this artifact.",
    });
  }
  throw swapped("trust/lineage-swapped", "lineage");
}

const Metrics = z.object({
  evidenceDigest: z.string(),
  data: z.object({ digest: z.string() }).optional(),
  looked: z.object({ ledger: z.string() }).optional(),
});
const Evidence = z.object({
  schema: z.string(),
  digest: z.string(),
  data: z.object({ digest: z.string() }).optional(),
  looked: z.object({ ledger: z.string() }).optional(),
});

/** The evidence by its digest in the metrics; it must be of this schema and about this artifact. */
export function checkEvidence(artifact: SealedArtifact, { predicate }: Statement): void {
  const signed = Metrics.safeParse(predicate);
  if (!signed.success) throw unreadable("the certifier's metrics lack what they must say");
  const { evidenceDigest, data, looked } = signed.data;
  const found = Evidence.safeParse(jsonOf(artifact, "evidence"));
  if (found.success && found.data.digest !== artifact.digest) {
    throw new CompileError("trust/evidence-subject", "the evidence is about another artifact", {
      where: `found ${found.data.digest}, wanted ${artifact.digest}`,
      remedy: "Do not trust this artifact.",
    });
  }
  if (sectionDigest(artifact, "evidence") !== evidenceDigest) {
    if (found.success && data && found.data.data && found.data.data.digest !== data.digest) {
      throw new CompileError("trust/evidence-data", "the evidence is of other data than the certifier looked at", {
        where: `found ${found.data.data.digest}, signed ${data.digest}`,
        remedy: "The data's digest was swapped after certification: do not trust this artifact.",
      });
    }
    if (found.success && looked && found.data.looked && found.data.looked.ledger !== looked.ledger) {
      throw new CompileError("trust/ledger-digest", "the evidence names another ledger of looks than was signed", {
        where: `found ${found.data.looked.ledger}, signed ${looked.ledger}`,
        remedy: "The count of looks was swapped after certification: do not trust this artifact.",
      });
    }
    throw swapped("trust/evidence-swapped", "evidence");
  }
  if (!found.success) throw unreadable("the evidence lacks what it must say");
  if (found.data.schema !== EVIDENCE_SCHEMA) {
    throw new CompileError("trust/evidence-schema", `the evidence is of another version: "${found.data.schema}"`, {
      where: `wanted ${EVIDENCE_SCHEMA}`,
      remedy: "What another version's figures mean is not known here: certify with this version.",
    });
  }
}

const TestResult = z.object({ configuration: z.array(z.object({ name: z.string(), digest: Sha256 })) });

/** A verdict counts for the evidence that it was made from: an earlier, better one cannot stand in for the last. */
export function checkTestResult(testResult: Statement, metrics: Statement): void {
  const said = TestResult.safeParse(testResult.predicate);
  if (!said.success) throw unreadable("the certifier's test result lacks what it must say");
  const judged = said.data.configuration.find(({ name }) => name === "evidence")?.digest.sha256;
  if (judged === metrics.predicate.evidenceDigest) return;
  throw new CompileError("trust/mixed-evidence", "the verdict is from other evidence than the figures", {
    where: `verdict from ${judged}, figures from ${String(metrics.predicate.evidenceDigest)}`,
    remedy: "Two certifications were mixed: certify again.",
  });
}

/** The value that a section's JSON holds, or undefined. */
function jsonOf(artifact: SealedArtifact, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(artifact.sections.get(name)));
  } catch {
    return undefined;
  }
}

function sectionDigest(artifact: SealedArtifact, name: string): string | undefined {
  const section = artifact.sections.get(name);
  return section && sha256(section);
}

function unreadable(message: string): CompileError {
  return new CompileError("trust/predicate", message, {
    where: "section attestations",
    remedy: "It was signed by another version, or by something else: certify with this version.",
  });
}

function swapped(code: `trust/${string}`, name: string): CompileError {
  return new CompileError(code, `the ${name} in the file is not the one that was signed`, {
    where: `section ${name}`,
    remedy: "Get the artifact again from where it was certified.",
  });
}
