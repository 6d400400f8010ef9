import { z } from "zod";
import { CompileError } from "../error.ts";
import { canonicalBytes, type Json } from "./canonical.ts";

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const SplitSchema = z.strictObject({
  /** Over the samples' contents, in order. */
  digest: Digest,
  /** What tells whether another split holds a sample, or one of the same source, too. */
  samples: z.array(z.strictObject({ id: z.string(), group: z.string(), hash: z.string() })),
});

const LineageSchema = z.strictObject({
  schema: z.literal("optimus-compile/lineage@1"),
  compiler: z.strictObject({ name: z.string(), version: z.string(), node: z.string() }),
  recipe: z.strictObject({ name: z.string(), digest: Digest }),
  teacher: z.strictObject({ file: z.string(), digest: Digest }),
  target: z.strictObject({ name: z.string(), digest: Digest, profile: z.string() }),
  /** The splits that the build looked at. */
  data: z.strictObject({ calibration: SplitSchema, selection: SplitSchema.optional() }),
  passes: z.array(z.strictObject({ name: z.string(), nodesBefore: z.int(), nodesAfter: z.int() })),
});

/** Where an artifact comes from: every input by its digest. No path of the machine, and no clock. */
export type Lineage = z.infer<typeof LineageSchema>;

export function encodeLineage(lineage: Lineage): Uint8Array {
  return canonicalBytes(lineage as unknown as Json);
}

/** Throws CompileError trust/lineage. */
export function decodeLineage(bytes: Uint8Array | undefined): Lineage {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const result = LineageSchema.safeParse(JSON.parse(text));
    if (result.success) return result.data;
  } catch {
    // Reported below, as any other malformed section is.
  }
  throw new CompileError("trust/lineage", "the artifact does not say where it comes from", {
    where: "section lineage",
  });
}
