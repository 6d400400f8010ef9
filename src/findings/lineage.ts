/** Where an artifact comes from and who says so, for people. */
import { z } from "zod";
import type { SealedArtifact } from "../artifact/container.ts";
import { SearchSchema } from "../artifact/lineage.ts";
import { METRICS, PROVENANCE, SUMMARY, TEST_RESULT } from "../artifact/statement.ts";
import { attestationsOf } from "../artifact/verify.ts";
import { CompileError } from "../error.ts";
import type { LineageModel } from "../report/html/model.ts";
import type { Evidence } from "./evidence.ts";

const ABOUT: Readonly<Record<string, string>> = {
  [PROVENANCE]: "how it was built",
  [TEST_RESULT]: "which gates passed",
  [METRICS]: "what was measured",
  [SUMMARY]: "what a gate decided",
};

const USES: Readonly<Record<string, string>> = {
  calibration: "set the ranges of the integer codes",
  selection: "chose between alternatives",
  certification: "judged the result, and was seen by nothing before",
};

const Source = z.object({ name: z.string(), digest: z.string() });
const Split = z.object({ digest: z.string(), samples: z.array(z.unknown()) });
const Passed = z.object({ name: z.string(), nodesBefore: z.number(), nodesAfter: z.number() });

/** What all versions of the lineage have said so far; a report only reads, and so need not know the rest. */
const LineageFacts = z.object({
  compiler: z.object({ name: z.string(), version: z.string(), node: z.string() }),
  recipe: Source,
  teacher: z.object({ file: z.string(), digest: z.string() }),
  target: Source,
  data: z.object({ calibration: Split.optional(), selection: Split.optional() }),
  passes: z.array(Passed),
  numerics: z.string().optional(),
  errors: z.object({ values: z.array(z.tuple([z.string(), z.number()])), left: z.number() }).optional(),
  search: SearchSchema.optional(),
  licenses: z.object({ teacher: z.string().optional(), data: z.string().optional() }).optional(),
});

type LineageFacts = z.infer<typeof LineageFacts>;

/** Throws CompileError trust/lineage. */
export function lineageFacts({ sections }: SealedArtifact): LineageFacts {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(sections.get("lineage"));
    const result = LineageFacts.safeParse(JSON.parse(text));
    if (result.success) return result.data;
  } catch {
    // Reported below, as any other malformed section is.
  }
  throw new CompileError("trust/lineage", "the artifact does not say where it comes from", {
    where: "section lineage",
    remedy: "Get the artifact again from where it was built.",
  });
}

export function lineageModel(
  artifact: SealedArtifact,
  lineage: LineageFacts,
  evidence: Evidence | undefined,
): LineageModel {
  const { compiler, recipe, teacher, target, data, passes } = lineage;
  const splits = Object.entries(data).flatMap(([name, split]) =>
    split === undefined ? [] : [{ name, digest: split.digest, samples: split.samples.length, use: USES[name] ?? "" }],
  );
  const judged = evidence?.data && {
    name: "certification",
    digest: evidence.data.digest,
    samples: evidence.data.samples,
    use: USES.certification,
  };
  const { teacher: ofTeacher, data: ofData } = lineage.licenses ?? {};
  const { commands, proven } = evidence?.checked ?? {};
  return {
    compiler: `${compiler.name} ${compiler.version}, Node ${compiler.node}`,
    recipe: { name: recipe.name, digest: recipe.digest },
    teacher: { name: teacher.file, digest: teacher.digest },
    target: { name: target.name, digest: target.digest },
    data: judged ? [...splits, judged] : splits,
    passes: passes.map(({ name, nodesBefore, nodesAfter }) => ({ name, before: nodesBefore, after: nodesAfter })),
    licenses: { teacher: ofTeacher ?? "not stated", data: ofData ?? "not stated" },
    ...(lineage.numerics !== undefined && { numerics: lineage.numerics }),
    signers: attestationsOf(artifact).map(signerOf),
    ...(evidence?.looked && { look: { look: evidence.looked.look, alpha: evidence.looked.alpha } }),
    ...(commands !== undefined &&
      proven !== undefined && {
        checked: `${commands} commands proven safe, ${proven} accumulators proven in range`,
      }),
  };
}

interface Bundle {
  readonly dsseEnvelope?: { readonly payload?: string };
  readonly verificationMaterial?: { readonly publicKey?: { readonly hint?: string } };
}

/** What an attestation claims about itself; whether it holds is `verifyAttestations`' to say. */
function signerOf(value: unknown): LineageModel["signers"][number] {
  const { dsseEnvelope, verificationMaterial } = (value ?? {}) as Bundle;
  const key = String(verificationMaterial?.publicKey?.hint ?? "no key named");
  const type = predicateOf(dsseEnvelope?.payload);
  const who =
    type === PROVENANCE ? "the build" : type === TEST_RESULT || type === METRICS ? "the certifier" : "somebody";
  return { who, key, about: ABOUT[type] ?? type };
}

function predicateOf(payload: unknown): string {
  try {
    const { predicateType } = JSON.parse(Buffer.from(String(payload), "base64").toString("utf8")) as {
      predicateType?: unknown;
    };
    return String(predicateType ?? "something");
  } catch {
    return "something that cannot be read";
  }
}
