/** What an artifact's evidence says, whatever version of this program wrote it: a figure that is not there is left out. */
import { z } from "zod";
import type { SealedArtifact } from "../artifact/container.ts";
import { CompileError } from "../error.ts";

/** Limits on one side only, which few faults give, have null on the other in JSON: nothing to draw. */
const Limits = z.object({ lower: z.number(), upper: z.number() }).optional().catch(undefined);
const Metric = z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]);

const SliceSchema = z.object({
  key: z.string(),
  value: z.string(),
  n: z.number(),
  groups: z.number().optional(),
  teacher: z.number(),
  compiled: z.number(),
  drop: z.number(),
  limits: Limits,
});

const Pair = z.object({ teacher: z.number(), compiled: z.number() });

const SampleSchema = z.object({
  teacher: z.record(z.string(), z.unknown()),
  compiled: z.record(z.string(), z.unknown()),
  confidence: Pair.optional(),
  margin: z.number().optional(),
  probability: Pair.optional(),
});

export type EvidenceSample = z.infer<typeof SampleSchema>;

const GateSchema = z.object({
  gate: z.string(),
  limit: z.number(),
  value: z.number().optional(),
  shown: z.number().optional(),
  where: z.string().optional(),
  verdict: z.enum(["pass", "fail", "incomplete"]),
  reason: z.string(),
});

const EvidenceSchema = z.object({
  digest: z.string().optional(),
  verdict: z.enum(["pass", "fail", "incomplete"]),
  gates: z.array(GateSchema).default([]),
  metric: Metric.optional(),
  accuracy: z.object({
    metric: z.string(),
    teacher: z.number(),
    compiled: z.number(),
    drop: z.number(),
    n: z.number(),
    groups: z.number(),
    agreement: z.number(),
    interval: z.object({ low: z.number(), high: z.number() }).optional().catch(undefined),
    metricLimits: Limits,
    chance: z.object({ value: z.number(), teacher: z.number(), excluded: z.boolean() }).optional(),
    flips: z
      .object({
        flipped: z.number(),
        harmful: z.number(),
        share: z.object({ upper: z.number().optional() }).optional(),
      })
      .optional(),
    divergence: z.number().optional(),
    calibrationError: Pair.optional(),
    slices: z.array(SliceSchema).default([]),
  }),
  latency: z.object({
    cycles: z.number(),
    ms: z.number(),
    floorCycles: z.number().optional(),
    efficiency: z.number().optional(),
    clockGHz: z.number().optional(),
    capped: z.string().optional(),
  }),
  memory: z.object({ sramPeakBytes: z.number(), weightBytes: z.number(), dramBytesPerInference: z.number() }),
  energy: z.object({ mJ: z.object({ low: z.number(), mid: z.number(), high: z.number() }) }).optional(),
  artifactBytes: z.number().optional(),
  checked: z.object({ commands: z.number().optional(), proven: z.number().optional() }).optional(),
  data: z.object({ digest: z.string(), source: z.string().optional(), samples: z.number() }).optional(),
  looked: z.object({ look: z.number(), alpha: z.number() }).optional(),
  samples: z.array(SampleSchema).default([]),
});

export type Evidence = z.infer<typeof EvidenceSchema>;

/** Undefined where nobody certified the artifact. Throws evidence/schema, and evidence/subject where it is another's. */
export function evidenceOf({ sections, digest }: SealedArtifact): Evidence | undefined {
  const section = sections.get("evidence");
  if (section === undefined) return undefined;
  const evidence = parse(section);
  if (evidence.digest === undefined || evidence.digest === digest) return evidence;
  throw new CompileError("evidence/subject", "the evidence is about another artifact", { where: "section evidence" });
}

function parse(section: Uint8Array): Evidence {
  try {
    const result = EvidenceSchema.safeParse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(section)));
    if (result.success) return result.data;
  } catch {
    // Reported below, as any other malformed section is.
  }
  throw new CompileError("evidence/schema", "the evidence in this artifact cannot be read by this version", {
    where: "section evidence",
    remedy: "Certify it again with this version.",
  });
}
