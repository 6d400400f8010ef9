import { z } from "zod";
import { CompileError } from "../error.ts";
import { canonicalBytes, type Json } from "./canonical.ts";

export const LINEAGE_SCHEMA = "optimus-compile/lineage@2";

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const License = z.string().max(256);

const SplitSchema = z.strictObject({
  /** Over the samples' contents, in order. */
  digest: Digest,
  /** What tells whether another split holds a sample, or one of the same source, too. */
  samples: z.array(z.strictObject({ id: z.string(), group: z.string(), hash: z.string() })),
});

const PassSchema = z.strictObject({
  name: z.string(),
  nodesBefore: z.int(),
  nodesAfter: z.int(),
  /** Of the graph that went in and of the one that came out; equal where the pass did nothing. */
  before: Digest,
  after: Digest,
  options: z.record(z.string(), z.unknown()),
});

const OperatorsSchema = z.array(
  z.strictObject({
    op: z.string(),
    /** Attributes that are numbers, words, or lists of numbers, as text. */
    attrs: z.record(z.string(), z.string()),
    dtype: z.string(),
    /** Operators that read its results. */
    readBy: z.array(z.string()),
    count: z.int().positive(),
  }),
);

const PlanSchema = z.strictObject({
  /** Format → how many layers have it. */
  layers: z.record(z.string(), z.int()),
  /** What the layers' distances from the teacher, each measured alone, add up to. */
  loss: z.number(),
  /** Of the plan scheduled whole before it is built. */
  cycles: z.number(),
  ms: z.number(),
  weightBytes: z.number(),
  /** How much worse the metric is expected to be, where plans that were built tell. */
  expectedDrop: z.number().optional(),
  /** Of the plan built, on the selection split. */
  measured: z
    .strictObject({
      compiled: z.number(),
      drop: z.number(),
      agreement: z.number(),
      cycles: z.number(),
      ms: z.number(),
      weightBytes: z.number(),
    })
    .optional(),
  /** Of a plan with one format for all layers. */
  uniform: z.string().optional(),
  chosen: z.boolean(),
});

/** How formats were chosen for a goal. */
export const SearchSchema = z.strictObject({
  goal: z.strictObject({ maxDrop: z.number().optional(), maxMs: z.number().optional() }),
  metric: z.string(),
  teacher: z.number(),
  /** Of the selection split: on how many layers were tried one by one, and plans as wholes. */
  samples: z.strictObject({ layers: z.int(), plans: z.int() }),
  /** By time. */
  front: z.array(PlanSchema),
  /** As `quantize.formats` says it. */
  formats: z.record(z.string(), z.string()),
  /** By layer and format, what it alone takes the answers away from the teacher's. */
  distances: z.array(z.strictObject({ layer: z.string(), formats: z.record(z.string(), z.number()) })),
});

export type SearchRecord = z.infer<typeof SearchSchema>;

const LineageSchema = z.strictObject({
  schema: z.literal(LINEAGE_SCHEMA),
  compiler: z.strictObject({
    name: z.string(),
    version: z.string(),
    node: z.string(),
    /** Of the program's own files, as they ran. */
    digest: Digest,
    dependencies: z.record(z.string(), z.string()),
    lockfile: Digest.optional(),
  }),
  emulator: z.strictObject({ version: z.string(), digest: Digest }),
  /** Within which the build's float arithmetic comes out the same; from the record on it does everywhere. */
  numerics: z.string(),
  recipe: z.strictObject({ name: z.string(), digest: Digest }),
  teacher: z.strictObject({
    file: z.string(),
    digest: Digest,
    /** External data, by its place beside the file. */
    external: z.array(z.strictObject({ file: z.string(), digest: Digest })),
    package: z.string().optional(),
  }),
  target: z.strictObject({ name: z.string(), digest: Digest, profile: z.string() }),
  /** The splits that the build looked at. */
  data: z.strictObject({ calibration: SplitSchema, selection: SplitSchema.optional() }),
  passes: z.array(PassSchema),
  /** What the teacher and the program are made of, so that an erratum can be matched without either. */
  operators: z.strictObject({ teacher: OperatorsSchema, program: OperatorsSchema }),
  /** SPDX expressions, as the teacher's package or the recipe says; what nobody said is not there. */
  licenses: z.strictObject({ teacher: License.optional(), data: License.optional() }),
  /**
   * Signal over error in decibels of the program's values beside the teacher's, on the golden vectors' inputs; how many more
   * there was no room for. Floating point, told for reading and compared by nobody.
   */
  errors: z
    .strictObject({ values: z.array(z.tuple([z.string(), z.number()])), left: z.int().nonnegative() })
    .optional(),
  /** Where the recipe has a goal. */
  search: SearchSchema.optional(),
  /** Of the recorded quantization: all that follows is integer work. */
  record: Digest,
});

/** Where an artifact comes from: every input by its digest. No path of the machine, and no clock. */
export type Lineage = z.infer<typeof LineageSchema>;

export function encodeLineage(lineage: Lineage): Uint8Array {
  return canonicalBytes(lineage as unknown as Json);
}

/** Throws CompileError trust/lineage, and trust/lineage-schema where another version wrote it. */
export function decodeLineage(bytes: Uint8Array | undefined): Lineage {
  const value = parse(bytes);
  const result = LineageSchema.safeParse(value);
  if (result.success) return result.data;
  const { schema } = (typeof value === "object" && value !== null ? value : {}) as { schema?: unknown };
  if (typeof schema === "string" && schema !== LINEAGE_SCHEMA) {
    throw new CompileError("trust/lineage-schema", `the lineage is of another version: "${schema.slice(0, 80)}"`, {
      where: `wanted ${LINEAGE_SCHEMA}`,
      remedy: "Build the artifact again with this version, or read it with the version that made it.",
    });
  }
  throw new CompileError("trust/lineage", "the artifact does not say where it comes from", {
    where: "section lineage",
    remedy: "Get the artifact again from where it was built.",
  });
}

function parse(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
