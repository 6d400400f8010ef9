/** What a loss is, term by term, as nodes: each a mean over the batch, so that weights mean the same for any batch size. */
import { CompileError } from "../error.ts";
import { elementCount, type Tensor } from "../ir/graph.ts";
import { seededRandom } from "../ir/random.ts";
import { float32 } from "../ir/tensor.ts";
import type { GradientBuilder, Value } from "../ops/gradient.ts";
import { sameShape } from "./build.ts";

interface Weighted {
  /** What the loss counts in the sum; 1 unless said. */
  readonly weight?: number;
}

/** Of a loss that compares with a teacher's value: a new input. */
interface Taught extends Weighted {
  readonly teacher: string;
  /** The teacher's shape where it is not the value's. */
  readonly teacherShape?: readonly number[];
}

/** Cross entropy of scores, classes on the last axis, with labels: a new int64 input with the scores' other axes. */
export interface LabelLoss extends Weighted {
  readonly kind: "labels";
  readonly scores: string;
  readonly labels: string;
}

/** `T² · KL(softmax(teacher/T) ‖ softmax(scores/T))`, the mean over all but the last axis. `teacher` is a new input. */
export interface DistillLoss extends Taught {
  readonly kind: "distill";
  readonly scores: string;
  readonly temperature?: number;
}

/**
 * As `distill`, for sequences in which most steps say nothing (CTC): a step counts 1 less the teacher's probability of `blank`, but
 * `blankWeight` at least; the sum is divided by what all steps count.
 */
export interface SequenceLoss extends Taught {
  readonly kind: "sequence";
  readonly scores: string;
  readonly temperature?: number;
  readonly blank: number;
  readonly blankWeight?: number;
}

/**
 * `‖P·value − teacher‖² / ‖teacher‖²`. Where the teacher's channels are others in number, `P` is a learnt projection (FitNets, Romero et
 * al. 2015): along the one axis in which the shapes differ; without it where they do not.
 */
export interface FeatureLoss extends Taught {
  readonly kind: "features";
  readonly value: string;
}

/** `‖â(value) − â(teacher)‖²`, a = Σ of squares over axis 1, â of length 1 a sample (Zagoruyko and Komodakis 2017). */
export interface AttentionLoss extends Taught {
  readonly kind: "attention";
  readonly value: string;
}

/**
 * `KL(softmax(TTᵀ/√d) ‖ softmax(VVᵀ/√d))` for queries, keys or values [samples, positions, channels], cut into `heads` relation heads of
 * d channels each; the mean over samples, heads and positions (MiniLMv2, Wang et al. 2021). Channels may differ in number.
 */
export interface RelationLoss extends Taught {
  readonly kind: "relations";
  readonly value: string;
  readonly heads?: number;
}

export type LossTerm = LabelLoss | DistillLoss | SequenceLoss | FeatureLoss | AttentionLoss | RelationLoss;

/** The student's value that a term looks at. */
export function looksAt(term: LossTerm): string {
  return "scores" in term ? term.scores : term.value;
}

export interface TermContext {
  readonly build: GradientBuilder;
  /** A new input, or the one that has the name already. */
  input(name: string, dtype: Value["dtype"], shape: readonly number[]): Value;
  /** A new constant that learns with the network. */
  learnt(hint: string, tensor: Tensor): Value;
}

/** Keeps a teacher of nothing but zeros from dividing by zero. */
const LEAST_ENERGY = 1e-12;
const LAST_AXIS = { axis: { i: -1 } };

const all = (value: Value): number[] => value.shape.map((_, axis) => axis);

export function termOf(term: LossTerm, value: Value, context: TermContext): Value {
  if (term.kind === "labels") return byLabels(term, value, context);
  const teacher = context.input(term.teacher, value.dtype, term.teacherShape ?? value.shape);
  switch (term.kind) {
    case "distill":
      return distill(term, value, teacher, context);
    case "sequence":
      return sequence(term, value, teacher, context);
    case "features":
      return features(value, teacher, context);
    case "attention":
      return attention(value, teacher, context);
    case "relations":
      return relations(term.heads ?? 1, value, teacher, context);
  }
}

function mismatch(value: Value, teacher: Value, wanted: string): CompileError {
  return new CompileError(
    "usage/loss-shape",
    `"${value.name}" is [${value.shape}] and the teacher's value [${teacher.shape}]: ${wanted}`,
    { where: "losses", remedy: "name values that say the same of the same input" },
  );
}

function byLabels({ labels }: LabelLoss, value: Value, { build, input }: TermContext): Value {
  const [rows, classes] = rowsOf(value);
  const given = input(labels, "int64", value.shape.slice(0, -1));
  return build.emit("SoftmaxCrossEntropyLoss", [build.reshape(value, [rows, classes]), build.reshape(given, [rows])]);
}

/** How many rows of scores there are, and how many scores in each. */
function rowsOf({ shape }: Value): [number, number] {
  const classes = shape.at(-1) ?? 1;
  return [classes === 0 ? 0 : elementCount(shape) / classes, classes];
}

/** KL of each row of scores, classes last, beside the logarithm of the teacher's probabilities. */
function divergences(
  build: GradientBuilder,
  value: Value,
  teacher: Value,
  temperature: number,
): { rows: Value; logs: Value } {
  const [logs, own] = [teacher, value].map((each) =>
    build.emit("LogSoftmax", [temperature === 1 ? each : build.mul(each, 1 / temperature)], { attrs: LAST_AXIS }),
  );
  const products = build.mul(build.emit("Exp", [logs]), build.sub(logs, own));
  return { rows: build.sum(products, [value.shape.length - 1], false), logs };
}

function distill({ temperature = 1 }: DistillLoss, value: Value, teacher: Value, { build }: TermContext): Value {
  if (!sameShape(value.shape, teacher.shape)) throw mismatch(value, teacher, "scores are compared one by one");
  const { rows } = divergences(build, value, teacher, temperature);
  const total = rows.shape.length === 0 ? rows : build.sum(rows, all(rows), false);
  return build.mul(total, temperature ** 2 / Math.max(1, rowsOf(value)[0]));
}

function sequence(term: SequenceLoss, value: Value, teacher: Value, { build }: TermContext): Value {
  const { temperature = 1, blank, blankWeight = 0.1 } = term;
  const [, classes] = rowsOf(value);
  if (!sameShape(value.shape, teacher.shape) || value.shape.length < 2 || blank >= classes) {
    throw mismatch(value, teacher, `scores are compared step by step, with class ${blank} as the blank`);
  }
  const { rows } = divergences(build, value, teacher, temperature);
  // How sure the teacher is of the blank has nothing to do with the temperature at which it is learnt from.
  const probabilities = build.emit("Softmax", [teacher], { attrs: LAST_AXIS });
  const silent = build.emit(
    "Gather",
    [probabilities, { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(blank)) }],
    {
      attrs: LAST_AXIS,
    },
  );
  const counts = build.emit("Max", [build.sub(1, silent), blankWeight]);
  const sum = build.sum(build.mul(rows, counts), all(rows), false);
  return build.mul(build.div(sum, build.add(build.sum(counts, all(counts), false), LEAST_ENERGY)), temperature ** 2);
}

function features(value: Value, teacher: Value, context: TermContext): Value {
  const { build } = context;
  const projected = sameShape(value.shape, teacher.shape) ? value : projection(value, teacher, context);
  const off = build.sub(projected, teacher);
  const energy = build.add(build.sum(build.mul(teacher, teacher), all(teacher), false), LEAST_ENERGY);
  return build.div(build.sum(build.mul(off, off), all(off), false), energy);
}

/** Uniform within ±√(3/fan-in): what goes in keeps its variance. */
function projection(value: Value, teacher: Value, { build, learnt }: TermContext): Value {
  const different = value.shape.flatMap((size, axis) => (size === teacher.shape[axis] ? [] : [axis]));
  const rank = value.shape.length;
  const [axis] = different;
  const isLast = axis === rank - 1;
  if (teacher.shape.length !== rank || different.length !== 1 || axis === 0 || !(isLast || (axis === 1 && rank > 2))) {
    throw mismatch(value, teacher, "a projection bridges channels only, on axis 1 or the last");
  }
  const [from, to] = [value.shape[axis], teacher.shape[axis]];
  const shape = isLast ? [from, to] : [to, from, ...value.shape.slice(2).map(() => 1)];
  const random = seededRandom(`projection ${value.name} ${shape}`);
  const bound = Math.sqrt(3 / Math.max(1, from));
  const numbers = Array.from({ length: from * to }, () => (2 * random() - 1) * bound);
  const matrix = learnt("projection", float32(shape, numbers));
  return isLast ? build.emit("MatMul", [value, matrix]) : build.emit("Conv", [value, matrix]);
}

function attention(value: Value, teacher: Value, { build }: TermContext): Value {
  const places = (each: Value): readonly number[] => each.shape.filter((_, axis) => axis !== 1);
  if (value.shape.length < 3 || !sameShape(places(value), places(teacher))) {
    throw mismatch(value, teacher, "attention is compared place by place, channels on axis 1");
  }
  const maps = [value, teacher].map((each) => {
    const energy = build.sum(build.mul(each, each), [1], false);
    const flat = build.reshape(energy, [each.shape[0], elementCount(energy.shape) / Math.max(1, each.shape[0])]);
    const length = build.emit("Sqrt", [build.add(build.sum(build.mul(flat, flat), [1], true), LEAST_ENERGY)]);
    return build.div(flat, length);
  });
  const off = build.sub(maps[0], maps[1]);
  return build.mul(build.sum(build.mul(off, off), [0, 1], false), 1 / Math.max(1, value.shape[0]));
}

function relations(heads: number, value: Value, teacher: Value, { build }: TermContext): Value {
  const fits = (each: Value): boolean => each.shape.length === 3 && each.shape[2] % heads === 0;
  if (!fits(value) || !fits(teacher) || !sameShape(value.shape.slice(0, 2), teacher.shape.slice(0, 2))) {
    throw mismatch(value, teacher, `relations want [samples, positions, channels], channels a multiple of ${heads}`);
  }
  const scores = [value, teacher].map((each) => {
    const [samples, positions, channels] = each.shape;
    const cut = build.reshape(each, [samples, positions, heads, channels / heads]);
    const [left, right] = [build.transpose(cut, [0, 2, 1, 3]), build.transpose(cut, [0, 2, 3, 1])];
    return build.mul(build.emit("MatMul", [left, right]), 1 / Math.sqrt(channels / heads));
  });
  const { rows } = divergences(build, scores[0], scores[1], 1);
  return build.mul(build.sum(rows, all(rows), false), 1 / Math.max(1, elementCount(rows.shape)));
}
