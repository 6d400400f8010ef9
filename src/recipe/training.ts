/** A training's recipe: which network learns what from which data. Every default is filled here, once. */
import { basename, dirname, extname, resolve } from "node:path";
import { z } from "zod";
import { resolveReference } from "../data/reference.ts";
import { CompileError } from "../error.ts";
import { didYouMean } from "../suggest.ts";
import { readRecipeText } from "./file.ts";
import { type Located, parseYaml } from "./locate.ts";
import { data, metric, quantize } from "./schema.ts";

const share = z.number().min(0).lt(1);
const weight = z.number().gt(0).default(1).describe("what the term counts in the sum");
const value = z.string().min(1);

const loss = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("labels"), scores: value.describe("class scores, classes last"), weight }),
  z.strictObject({
    kind: z.literal("distill"),
    scores: value.describe("the student's scores, classes last"),
    teacher: value.describe("the teacher's value with the same shape"),
    temperature: z.number().gt(0).default(1),
    weight,
  }),
  z.strictObject({
    kind: z.literal("sequence"),
    scores: value.describe("the student's scores, step by step, classes last"),
    teacher: value.describe("the teacher's value with the same shape"),
    blank: z.int().min(0).default(0).describe("the class that says nothing; such steps count less"),
    blankWeight: share
      .default(0.1)
      .describe("what a step counts at least of which the teacher is sure that it says nothing"),
    temperature: z.number().gt(0).default(1),
    weight,
  }),
  z.strictObject({
    kind: z.literal("features"),
    value: value.describe("a value of the student"),
    teacher: value.describe("the teacher's value; a projection is learnt where its channels are others in number"),
    weight,
  }),
  z.strictObject({
    kind: z.literal("attention"),
    value: value.describe("a value of the student, channels on axis 1"),
    teacher: value.describe("the teacher's value with the same places"),
    weight,
  }),
  z.strictObject({
    kind: z.literal("relations"),
    value: value.describe("the student's queries, keys or values: [samples, positions, channels]"),
    teacher: value.describe("the teacher's, with the same positions"),
    heads: z.int().min(1).max(4096).default(1).describe("relation heads that both are cut into"),
    weight,
  }),
]);

const part = z.number().gt(0).max(1).optional();

const student = z.strictObject({
  layers: part.describe("the share of residual blocks that stays; those whose absence changes the scores least go"),
  width: part.describe("the share of channels that stays in every layer; those that are worth least go"),
  rank: part.describe(
    "at most this share of the multiply-accumulates of each dense layer: it becomes two thinner ones, through the directions in which its results vary most",
  ),
  macs: part.describe("at most this share of the teacher's multiply-accumulates; widths follow"),
  maxMs: z.number().gt(0).optional().describe("at most so many milliseconds a sample on the target; widths follow"),
  target: z.string().min(1).default("ai4").describe("the hardware that `maxMs` is meant for"),
  multiple: z
    .int()
    .min(1)
    .max(1024)
    .default(8)
    .describe("channels stay in multiples of this, where there are twice as many"),
  samples: z.int().min(1).max(65_536).default(256).describe("training samples to measure on what goes"),
  reconstruct: z
    .boolean()
    .default(false)
    .describe("fit layer after layer to the teacher's values by least squares, on what the layer reads in the student"),
  outputs: z
    .array(value)
    .min(1)
    .max(64)
    .optional()
    .describe(
      "values of the teacher that the student ends with instead of its outputs: scores without their Softmax, say",
    ),
  fuse: z
    .boolean()
    .default(false)
    .describe("bring the teacher to fewer and larger operators first; BatchNormalizations are folded, and stay so"),
});

const quantization = quantize
  .pick({
    ...{ weights: true, activations: true, formats: true, weightScales: true, outputs: true },
    ...{ calibrator: true, percentile: true, samples: true, int16: true },
  })
  .extend({
    normalize: z
      .boolean()
      .default(false)
      .describe(
        "train on the batch's moments behind each convolution that had a BatchNormalization, and fold the running ones in at the end; for large batches",
      ),
  });

export const trainingSchema = z.strictObject({
  $schema: z.string().optional().describe("for editors"),
  name: z
    .string()
    .regex(/^[\w.-]+$/, "letters, digits, `.`, `_` and `-`")
    .optional(),
  model: z
    .string()
    .min(1)
    .optional()
    .describe("the ONNX network that learns: a path from the recipe's folder, or npm:PACKAGE/PATH"),
  student: student.optional().describe("instead of `model`: the teacher itself, cut down"),
  weights: z.enum(["fresh", "given"]).default("given").describe("begin with random weights, or with the model's own"),
  quantize: quantization
    .optional()
    .describe("round while training as the build will; scales are learnt, and the result is a quantized model"),
  teacher: z.string().min(1).optional().describe("the ONNX network whose values `distill` and `features` learn"),
  data: z.strictObject({
    training: data,
    validation: data.optional().describe("looked at after every epoch, never learnt from"),
  }),
  metric: metric.default("accuracy").describe("of the validation data"),
  losses: z.array(loss).min(1).max(64),
  balance: z
    .boolean()
    .default(false)
    .describe("divide each loss by what it is on the first batch, so that weights say how much each counts"),
  optimizer: z
    .discriminatedUnion("kind", [
      z.strictObject({
        kind: z.literal("sgd"),
        momentum: share.default(0.9),
        nesterov: z.boolean().default(false),
        weightDecay: z.number().min(0).default(0),
      }),
      z.strictObject({
        kind: z.literal("adamw"),
        betas: z.tuple([share, share]).default([0.9, 0.999]),
        epsilon: z.number().gt(0).default(1e-8),
        weightDecay: z.number().min(0).default(0.01),
      }),
    ])
    .default({ kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 }),
  rate: z.strictObject({
    peak: z.number().gt(0).describe("the largest learning rate"),
    warmUp: z.number().min(0).default(0).describe("epochs in which the rate climbs to its peak"),
    shape: z.enum(["cosine", "constant"]).default("cosine"),
    least: z.number().min(0).default(0).describe("where the cosine ends"),
  }),
  epochs: z.int().min(1).max(100_000),
  batch: z.int().min(1).max(65_536),
  shards: z
    .int()
    .min(1)
    .max(4096)
    .default(1)
    .describe(
      "equal parts of a batch, whose gradients are added in order: threads share them out, and with `--jobs 1` a step takes less memory",
    ),
  recompute: z
    .boolean()
    .default(false)
    .describe(
      "make values of the forward pass again where gradients need them, instead of keeping all: less memory, more time",
    ),
  clip: z.number().gt(0).optional().describe("the largest norm of all gradients together"),
  average: share.optional().describe("what an average of the weights keeps a step; the average is then the result"),
  augment: z
    .strictObject({
      input: z.string().optional().describe("the input [samples, channels, rows, columns]; the first unless said"),
      crop: z.int().min(0).max(1024).default(0).describe("images are shifted by up to so many pixels, zeros move in"),
      flip: z.boolean().default(false).describe("every other image, by chance, is mirrored left to right"),
      noise: z.number().min(0).default(0).describe("deviation of the noise that is added to every number"),
      bands: z
        .strictObject({
          count: z.int().min(1).max(64).default(2),
          rows: z.int().min(0).default(0).describe("a band has at most so many rows"),
          columns: z.int().min(0).default(0).describe("and at most so many columns"),
        })
        .optional()
        .describe("so many bands of rows and of columns are set to 0, for spectrograms [samples, …, rows, columns]"),
      tokens: z
        .strictObject({ share, value: z.int().min(0).describe("the class that stands for a hidden one") })
        .optional()
        .describe("class numbers that are hidden, by chance"),
    })
    .optional(),
  checkpoint: z.int().min(1).default(200).describe("steps from one checkpoint to the next"),
  seed: z.int().min(0).max(0xffffffff).default(0),
  threads: z.int().min(1).max(256).default(1).describe("inside an operator; the last bits depend on it"),
});

/** With every default filled in and every path absolute. */
export interface Training extends Omit<z.infer<typeof trainingSchema>, "$schema" | "name"> {
  readonly name: string;
  /** What the data's paths and the metric's are relative to. */
  readonly folder: string;
}

/** For editors. */
export function trainingJsonSchema(): object {
  const schema = z.toJSONSchema(trainingSchema, { io: "input", target: "draft-2020-12" });
  return { title: "optimus-compile training recipe", ...schema };
}

/** @throws CompileError usage/missing-recipe, usage/recipe-syntax, usage/recipe and usage/unknown-key. */
export function loadTraining(path: string): Training {
  return parseTraining(readRecipeText(path, "recipes/train/fashion-mnist.yaml"), path);
}

/** As `loadTraining`, of a text; `path` says where it would stand. */
export function parseTraining(text: string, path: string): Training {
  const located = parseYaml(text, path);
  const parsed = trainingSchema.safeParse(located.value ?? {});
  if (!parsed.success) {
    const { issues } = parsed.error;
    // A mistyped key is also a missing one; the typing mistake is what the user can see.
    throw failure(issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0], located);
  }
  const { $schema, name = basename(path, extname(path)), model, teacher, ...rest } = parsed.data;
  if (rest.batch % rest.shards !== 0) {
    throw new CompileError("usage/recipe", `shards: a batch of ${rest.batch} has no ${rest.shards} equal parts`, {
      where: located.excerpt(["shards"]),
    });
  }
  const wantsTeacher = rest.losses.findIndex(({ kind }) => kind !== "labels");
  if (wantsTeacher >= 0 && teacher === undefined) {
    throw new CompileError("usage/recipe", `losses.${wantsTeacher}: there is no teacher to learn from`, {
      where: located.excerpt(["losses", wantsTeacher]),
      remedy: "name an ONNX model as `teacher`",
    });
  }
  if (rest.quantize && rest.weights === "fresh") {
    throw new CompileError("usage/recipe", "weights: fresh, and a quantization whose ranges come from the weights", {
      where: located.excerpt(["quantize"]),
      remedy: "train in float first, and quantize what comes out",
    });
  }
  checkStudent(model, rest.student, teacher, located);
  const folder = dirname(resolve(path));
  return {
    ...rest,
    ...{ name, folder },
    ...(model !== undefined && { model: resolveReference(model, folder) }),
    ...(teacher !== undefined && { teacher: resolveReference(teacher, folder) }),
  };
}

function checkStudent(
  model: string | undefined,
  spec: z.infer<typeof student> | undefined,
  teacher: string | undefined,
  located: Located,
): void {
  const refuse = (message: string, key: string, remedy: string): never => {
    throw new CompileError("usage/recipe", message, { where: located.excerpt(key === "" ? [] : [key]), remedy });
  };
  if (spec === undefined) {
    if (model === undefined)
      refuse("the recipe lacks model", "", "name an ONNX file as `model`, or derive a `student`");
    return;
  }
  if (model !== undefined) refuse("there is a model and a student", "student", "leave one of them out");
  if (teacher === undefined) refuse("a student without a teacher", "student", "name an ONNX model as `teacher`");
  const { layers, width, rank, macs, maxMs } = spec;
  if (width !== undefined && (macs !== undefined || maxMs !== undefined)) {
    refuse("the student's width is given, and a goal that decides it", "student", "leave out `width`, or the goal");
  }
  if ([layers, width, rank, macs, maxMs].every((each) => each === undefined)) {
    refuse("the student has no size", "student", "give `layers`, `width`, `rank`, `macs` or `maxMs`");
  }
}

function failure(issue: z.core.$ZodIssue, located: Located): CompileError {
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const where = located.excerpt([...issue.path, key], true);
    const remedy = issue.path.length === 0 ? didYouMean(key, Object.keys(trainingSchema.shape)) : undefined;
    const message = `there is no key ${JSON.stringify([...issue.path, key].join("."))} in a training's recipe`;
    return new CompileError("usage/unknown-key", message, { where, ...(remedy && { remedy }) });
  }
  const name = issue.path.map(String).join(".");
  const message = issue.message.endsWith("received undefined")
    ? `the recipe lacks ${name}`
    : `${name}: ${issue.message}`;
  return new CompileError("usage/recipe", message, { where: located.excerpt(issue.path) });
}
