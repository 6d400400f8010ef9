/** An artifact's evidence, once it is clear who vouches for it: what gates, `diff`, `bisect` and `accept` read. */
import { basename } from "node:path";
import { z } from "zod";
import type { SealedArtifact } from "../artifact/container.ts";
import { EVIDENCE_SCHEMA } from "../artifact/evidence.ts";
import { readArtifact } from "../artifact/file.ts";
import { type TrustedKeys, verifyAttestations } from "../artifact/verify.ts";
import { CompileError } from "../error.ts";
import { escalationOf } from "../escalation.ts";
import type { SampleRecord } from "../evidence/evaluate.ts";
import type { Gates, Measured } from "../evidence/gates.ts";
import type { MetricSpec } from "../evidence/metric.ts";

/** The keys that must have signed, or `unsigned`: the reader said that nobody need vouch for the evidence. */
export type Trust = TrustedKeys | "unsigned";

export interface Evidence {
  /** As the recipe calls it, by the lineage; the file's name where the lineage does not say. */
  readonly name: string;
  readonly path: string;
  readonly artifact: SealedArtifact;
  readonly verified: boolean;
  readonly measured: Measured;
  readonly records: readonly SampleRecord[];
  readonly metric?: MetricSpec;
  /** Digest of the data that was looked at. */
  readonly data?: string;
  /** What this look at the data may spend on each gate. */
  readonly alpha?: number;
  readonly look?: number;
  /** The recipe's gates, as the certifier judged them. */
  readonly gates: Readonly<Record<string, number>>;
}

const number = z.number();
/** JSON has null where nothing bounds a drop from below: so few faults were seen. */
const lower = number.nullable().transform((value) => value ?? Number.NEGATIVE_INFINITY);
const limits = z.looseObject({ estimate: number.optional(), lower, upper: number }).optional().catch(undefined);
const summary = { metric: z.string(), teacher: number, compiled: number, drop: number, n: number, groups: number };
const accuracy = z.looseObject({
  ...summary,
  agreement: number,
  interval: z.looseObject({ low: number, high: number, level: number }).optional().catch(undefined),
  limits,
  metricLimits: limits,
  agreementLimits: z.looseObject({ lower: number, upper: number }),
  flips: z.looseObject({ share: z.looseObject({ estimate: number, lower: number, upper: number }) }),
});
const slice = z.looseObject({ ...summary, key: z.string(), value: z.string(), limits });
const record = z.looseObject({
  id: z.string(),
  group: z.string(),
  slices: z.record(z.string(), z.string()),
  teacher: z.unknown(),
  compiled: z.unknown(),
});

/** A part that is not as it must be is no evidence: the gates that need it are incomplete, the others are not hurt. */
const part = <S extends z.ZodType>(schema: S) => schema.optional().catch(undefined);
const evidenceSchema = z.looseObject({
  schema: z.literal(EVIDENCE_SCHEMA),
  digest: z.string(),
  accuracy: part(accuracy),
  slices: part(z.array(slice)),
  latency: part(z.looseObject({ cycles: number, ms: number, efficiency: number })),
  memory: part(z.looseObject({ sramPeakBytes: number, weightBytes: number, dramBytesPerInference: number })),
  energy: part(z.looseObject({ mJ: z.looseObject({ low: number, mid: number, high: number }) })),
  floatTensors: part(number),
  artifactBytes: part(number),
  gates: part(z.array(z.looseObject({ gate: z.string(), limit: number }))),
  looked: part(z.looseObject({ look: z.int().positive(), alpha: z.number().gt(0).lt(1) })),
  data: part(z.looseObject({ digest: z.string() })),
  metric: part(z.union([z.string(), z.looseObject({ name: z.string() })])),
  samples: part(z.array(record)),
});

/**
 * Throws evidence/none where nobody judged the artifact, evidence/schema and evidence/subject where the evidence is of
 * another version or artifact, and with keys what `verifyAttestations` throws. A certifier's verdict that is not a pass
 * throws nothing: whoever reads this judges by limits of his own.
 */
export function readEvidence(path: string, trust: Trust): Evidence {
  const artifact = readArtifact(path);
  if (trust !== "unsigned") verifyAttestations(artifact, trust);
  const section = artifact.sections.get("evidence");
  if (section === undefined) {
    throw new CompileError("evidence/none", "nobody has judged this artifact", {
      where: path,
      remedy: "Run `optimus-compile certify` on it.",
    });
  }
  const parsed = evidenceSchema.safeParse(jsonOf(section));
  if (!parsed.success) {
    throw new CompileError("evidence/schema", "the evidence in this artifact cannot be read by this version", {
      where: path,
      remedy: "Certify it again with this version.",
    });
  }
  const { digest, samples, metric, data, looked, gates = [], ...rest } = parsed.data;
  if (digest !== artifact.digest) {
    throw new CompileError("evidence/subject", "the evidence is about another artifact", { where: path });
  }
  const escalation = escalationOf(artifact, trust === "unsigned" ? "anybody" : trust.certifier);
  const measured = { ...rest, escalation };
  return {
    name: nameOf(artifact, path),
    path,
    artifact,
    verified: trust !== "unsigned",
    measured: measured as unknown as Measured,
    records: (samples ?? []) as unknown as SampleRecord[],
    ...(metric !== undefined && { metric: metric as MetricSpec }),
    ...(data && { data: data.digest }),
    ...(looked && { alpha: looked.alpha, look: looked.look }),
    gates: Object.fromEntries(gates.map(({ gate, limit }) => [gate, limit])) satisfies Gates,
  };
}

const named = z.looseObject({ recipe: z.looseObject({ name: z.string().min(1).max(256) }) });

function nameOf({ sections }: SealedArtifact, path: string): string {
  const lineage = named.safeParse(jsonOf(sections.get("lineage")));
  return lineage.success ? lineage.data.recipe.name : basename(path, ".dopt");
}

function jsonOf(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
