import { z } from "zod";

/** Recipe v1. Every key, its meaning and its default; the editors' JSON Schema is made from this. */

const tensorInput = z
  .strictObject({
    shape: z.array(z.int().min(1)).describe("the input's static shape").optional(),
    dtype: z.string().describe("element type, where the model leaves it open").optional(),
    value: z
      .union([z.number(), z.boolean(), z.array(z.number())])
      .describe("a constant: the input disappears")
      .optional(),
    from: z.string().describe("the output that is fed back as this input in the next step").optional(),
    init: z
      .union([z.number(), z.array(z.number())])
      .describe("what a fed-back input holds at first")
      .optional(),
  })
  .refine(
    (input) => input.value === undefined || input.from === undefined,
    "an input is a constant or fed back, not both",
  )
  .refine((input) => input.init === undefined || input.from !== undefined, "`init` is for inputs that have `from`");

export const data = z
  .union(
    [
      z.looseObject({
        npz: z.string().describe("arrays named as the inputs, `target`, `group`, `sequence`, `slice.*`"),
      }),
      z.looseObject({ reader: z.string().regex(/^[a-z0-9-]+$/, "a reader's name is lower-case words and hyphens") }),
    ],
    "data is {npz: FILE} or {reader: NAME, …}",
  )
  .describe("{npz: FILE} or {reader: NAME, …options}");

export const metric = z.union([z.string().min(1), z.looseObject({ name: z.string().min(1) })]);

/** The runner's PassSpec; each pass checks its own options. */
type PassSpec = string | { pass: string; [option: string]: unknown } | { repeat: PassSpec[] };
const pass: z.ZodType<PassSpec> = z.union(
  [
    z.string().min(1),
    z.strictObject({
      get repeat() {
        return z.array(pass).min(1);
      },
    }),
    z.looseObject({ pass: z.string().min(1) }),
  ],
  "a pass is NAME, {pass: NAME, option: value} or {repeat: [passes]}",
);

const limit = (says: string) => z.number().describe(says).optional();

/** Unknown gates are errors wherever the recipe is used: a gate that nobody checks is worse than none. */
export const gates = z.strictObject({
  maxDrop: limit("how much worse than the teacher the compiled model may be, in the metric's units (fractions of 1)"),
  minMetric: limit("the compiled model's metric, where higher is better"),
  maxMetric: limit("the compiled model's metric, where lower is better"),
  minAgreement: limit("the share of answers that are the teacher's"),
  maxSliceDrop: limit("the drop in the worst of the slices that `slices` names"),
  maxHarmfulFlips: limit("the share of samples where the compiled model's answer is worse than the teacher's"),
  minSamples: limit("how many samples the evidence is made of"),
  maxMs: limit("milliseconds of one inference, as emulated"),
  maxCycles: limit("cycles of one inference, as emulated"),
  minEfficiency: limit("the share of the hardware floor that is reached"),
  maxSramBytes: limit("bytes of SRAM in use at the peak, per NPU"),
  maxWeightBytes: limit("bytes of weights and scales"),
  maxDramBytes: limit("bytes moved from and to DRAM in one inference"),
  maxArtifactBytes: limit("bytes of the artifact"),
  maxMillijoules: limit("millijoules of one inference, by the middle estimate"),
  maxFloatTensors: limit("tensors that the program computes in floating point"),
});

export const quantize = z.strictObject({
  weights: z.enum(["int8", "int4"]).default("int8").describe("bits of the weights, where `formats` says nothing else"),
  activations: z
    .enum(["int4", "int8", "int16"])
    .default("int8")
    .describe(
      "bits of what layers read; int4, for targets that say so: but for the model's inputs, and never of sums in between",
    ),
  formats: z
    .record(z.string().min(1), z.enum(["W8A4", "W8A8", "W8A16", "W4A4", "W4A8", "W4A16"]))
    .default({})
    .describe(
      "a layer's name in the teacher, or a pattern with *, → bits of its weights and of what it reads; the last match holds",
    ),
  block: z
    .union([z.literal(32), z.literal(64), z.literal(128), z.literal("all")])
    .default(64)
    .describe("neighbouring 4-bit weights that share an integer factor"),
  weightScales: z.enum(["max", "mse"]).default("mse").describe("whether 4-bit weights clip nothing or err least"),
  rounding: z
    .enum(["auto", "nearest", "mse", "h-mse", "gptq", "descent", "gptq+descent", "adaround"])
    .default("auto")
    .describe("how weights are rounded; auto: 4-bit weights by gptq, 8-bit ones to nearest"),
  outputs: z.enum(["int8", "int16"]).default("int16").describe("the model's own outputs"),
  calibrator: z
    .enum(["min-max", "percentile", "entropy", "mse", "auto"])
    .default("percentile")
    .describe("how ranges are found"),
  percentile: z.number().gt(50).max(100).default(99.999),
  samples: z.int().min(1).default(256).describe("calibration samples to look at, at most"),
  cache: z
    .enum(["int8", "int4"])
    .default("int8")
    .describe("bits of caches: states of which a step only replaces rows (TensorScatter)"),
  int16: z.array(z.string()).default([]).describe("values kept in 16 bits"),
  int16Share: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      "values whose 8 bits cost the outputs most are kept in 16, as long as that adds no larger share of the work, by an estimate",
    ),
  int8Share: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      "of layers with 4-bit weights, those keep 8 bits whose 4 cost the outputs most, as long as they have no larger share of the weights",
    ),
  equalize: z.boolean().default(true).describe("bring the channels between two convolutions to one range"),
  split: z.boolean().default(false).describe("split channels that alone make a range wide, where that helps"),
  smooth: z.boolean().default(false).describe("move outliers of a product's inputs into its weights, where that helps"),
  biasCorrection: z.boolean().default(true).describe("take back the mean shift of rounded weights"),
});

const goal = z
  .strictObject({
    maxDrop: limit("how much worse than the teacher, on the selection split, in the metric's units (fractions of 1)"),
    maxMs: limit("milliseconds of one inference, as emulated"),
    samples: z
      .int()
      .min(16)
      .max(4096)
      .default(64)
      .describe("samples of the selection split on which each layer's formats are tried one by one"),
    tries: z.int().min(1).max(64).default(8).describe("plans that are built and measured whole, at most"),
  })
  .refine(({ maxDrop, maxMs }) => maxDrop !== undefined || maxMs !== undefined, "a goal has maxDrop, maxMs or both");

/** What the formats of the layers are chosen for. */
export type Goal = z.infer<typeof goal>;

export const recipeSchema = z.strictObject({
  $schema: z.string().optional().describe("for editors"),
  name: z
    .string()
    .regex(/^[\w.-]+$/, "letters, digits, `.`, `_` and `-`")
    .optional(),
  model: z.string().min(1).describe("the ONNX teacher: a path from the recipe's folder, or npm:PACKAGE/PATH"),
  inputs: z.record(z.string(), tensorInput).default({}).describe("input → shape, constant, or the output fed back"),
  dims: z.record(z.string(), z.int().min(1)).default({}).describe("symbolic dimension → size"),
  data: z
    .strictObject({ calibration: data, selection: data.optional(), certification: data })
    .describe("disjoint splits; `certification` makes the evidence and is seen by nothing else"),
  metric: metric
    .default("accuracy")
    .describe("accuracy, cer, auc, f1, bitsPerCharacter, agreement or ./my-metric.ts, or {name: …, option: …}"),
  slices: z
    .array(z.string().min(1))
    .max(16)
    .default([])
    .describe("keys of the data's slices (font, noise, class …) that `maxSliceDrop` judges, each value by itself"),
  target: z.string().min(1).default("ai4"),
  profile: z.string().min(1).default("driving"),
  npus: z
    .int()
    .min(1)
    .default(1)
    .describe("how many NPUs of a SoC share the work; where one alone is faster it does everything"),
  allowCpu: z.boolean().default(false).describe("whether operators that the chip lacks may run on the CPU"),
  passes: z
    .union([z.string(), z.array(pass)])
    .default("default")
    .describe("a preset, or the list of passes in order"),
  quantize: quantize.prefault({}),
  goal: goal
    .optional()
    .describe(
      "what every layer's format is chosen for, in the place of quantize.weights, activations, formats and int16Share",
    ),
  confidence: z
    .enum(["auto", "margin", "mean-margin", "none"])
    .default("auto")
    .describe(
      "how sure the program says it is, as one more output: the least margin between its two largest codes, or the mean over the rows; auto is margin for the metrics accuracy and cer",
    ),
  gates: gates.default({}),
  licenses: z
    .strictObject({
      teacher: z.string().min(1).max(256).optional().describe("SPDX expression; an npm package says it by itself"),
      data: z.string().min(1).max(256).optional().describe("SPDX expression"),
      allowed: z.array(z.string().min(1)).optional().describe("no other may be used, and none that nobody names"),
    })
    .optional()
    .describe("under which terms the teacher and the data may be used"),
  key: z.string().optional().describe("the build's private key, PEM; without one the artifact is unsigned"),
  certifierKey: z.string().optional().describe("the certifier's private key, PEM; never the build's"),
  ledger: z
    .string()
    .optional()
    .describe(
      "the file that every look at certification data is written to (optimus.ledger.jsonl beside the artifact)",
    ),
  seed: z.int().min(0).max(0xffffffff).default(0),
  jobs: z.int().min(1).max(256).optional().describe("worker threads; the result does not depend on it"),
  check: z.boolean().default(false).describe("run each pass's graph beside the one before it"),
  out: z.string().optional().describe("the folder for the artifact"),
});

export type RecipeFile = z.infer<typeof recipeSchema>;

/** The recipe's JSON Schema, for editors: what a user may write, so defaults are optional. */
export function recipeJsonSchema(): object {
  const schema = z.toJSONSchema(recipeSchema, { io: "input", target: "draft-2020-12" });
  return { title: "optimus-compile recipe", ...schema };
}
