/**
 * Distillation and 4 bits by the recipes that ship, on Debian's dataset-fashion-mnist: the fixtures' teacher with weights in 4 bits, and with
 * activations in 4 bits too; the student over several seeds beside the same student taught by labels alone, and in 4 bits; the teacher
 * from random weights. And half of the character GPT, on the Brown corpus. `--part` runs one of these: teacher-rounded, student,
 * teacher, gpt. `--seeds` (5) trainings of each student from seed `--first` (0) on; `--samples` limits training and test samples
 * alike, for a shorter look: the bars are for all of them.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { studentQuantile } from "../../src/evidence/statistics/distributions.ts";
import { loadTraining, type Training } from "../../src/recipe/training.ts";
import { runTraining } from "../../src/training/run.ts";
import { type AcceptanceCheck, type AcceptanceOptions, attempt, type Outcome } from "./check.ts";

const recipes = resolve(import.meta.dirname, "../../recipes/train");
const STUDENT = "fashion-mnist-student.yaml";
const LABELS = "/usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz";
const SEEDS = 5;
/** Of the residual teacher in the fixtures, on the 10,000 test images. */
const TEACHER = 0.9425;
const TEACHER_BAR = 0.935;
const KEPT_BAR = 0.985;
const MACS_BAR = 6;
/** Bits per character of the fixtures' character GPT on the documents that it has not seen, in the training's windows. */
const GPT_BITS = 2.027;
const GPT_BAR = 1.03;
/** Recipes of rounded networks, and how much less than in float they may have right. */
const ROUNDED = {
  "teacher, W4A8": { recipe: "fashion-mnist-w4a8.yaml", bar: 0.001 },
  "teacher, W4A4": { recipe: "fashion-mnist-w4a4.yaml", bar: 0.008 },
  "student, W4A8": { recipe: "fashion-mnist-student-w4a8.yaml", bar: 0.001 },
} as const;

/** What is asked for, and where the results go meanwhile. */
type Bench = AcceptanceOptions & { readonly folder: string };

interface Trained {
  readonly model: string;
  readonly accuracy: number;
  readonly macs: { readonly teacher: number; readonly student: number };
}

async function train(recipe: Training, out: string): Promise<Trained> {
  const { model, metric } = await runTraining(recipe, { out, resume: false });
  const report = recipe.student ? readFileSync(join(out, `${recipe.name}.student.json`), "utf8") : "{}";
  const { macs } = JSON.parse(report) as Pick<Trained, "macs">;
  return { model, accuracy: metric?.value ?? 0, macs };
}

/** At most so many images to learn from and to be judged by. */
function limited(recipe: Training, samples: number | undefined): Training {
  if (samples === undefined) return recipe;
  const { training, validation } = recipe.data;
  const limit = { limit: samples };
  return {
    ...recipe,
    data: { training: { ...training, ...limit }, ...(validation && { validation: { ...validation, ...limit } }) },
  };
}

function withLabels(recipe: Training): Training {
  return { ...recipe, data: { ...recipe.data, training: { ...recipe.data.training, labels: LABELS } } };
}

/** Mean and 95 % limits of paired differences. */
function limitsOf(differences: readonly number[]): { mean: number; low: number; high: number } {
  const count = differences.length;
  const mean = differences.reduce((sum, each) => sum + each, 0) / count;
  const square = differences.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, count - 1);
  const reach = count < 2 ? Number.POSITIVE_INFINITY : studentQuantile(0.975, count - 1) * Math.sqrt(square / count);
  return { mean, low: mean - reach, high: mean + reach };
}

const points = (share: number): string => (100 * share).toFixed(2);

/** A network in a format of 4 bits: the recipe's own, or the one given. */
function rounded(
  name: keyof typeof ROUNDED,
  { model, float }: { readonly model?: string; readonly float: number },
  { folder, samples }: Bench,
): Promise<Outcome> {
  return attempt(name, async () => {
    const { recipe, bar } = ROUNDED[name];
    const whole = limited(loadTraining(join(recipes, recipe)), samples);
    const { accuracy } = await train(model === undefined ? whole : { ...whole, model }, join(folder, recipe));
    const drop = float - accuracy;
    return { good: drop <= bar, says: `${points(accuracy)} %, ${points(drop)} points less than in float` };
  });
}

async function* teacherRounded(bench: Bench): AsyncGenerator<Outcome> {
  for (const name of ["teacher, W4A8", "teacher, W4A4"] as const) yield await rounded(name, { float: TEACHER }, bench);
}

/** The student by the teacher and by labels alone, from the same first weights; the first that was taught in 4 bits. */
async function* students(bench: Bench): AsyncGenerator<Outcome> {
  const { folder, samples, first = 0, seeds = SEEDS } = bench;
  const taught = limited(loadTraining(join(recipes, STUDENT)), samples);
  const alone: Training = {
    ...withLabels(taught),
    losses: [{ kind: "labels", scores: "logits", weight: 1 }],
  };
  const pairs: { readonly taught: Trained; readonly alone: Trained }[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    const both = {
      taught: await train({ ...taught, seed }, join(folder, `taught-${seed}`)),
      alone: await train({ ...alone, seed }, join(folder, `alone-${seed}`)),
    };
    pairs.push(both);
    const { accuracy, macs } = both.taught;
    const [share, ratio] = [accuracy / TEACHER, macs.teacher / macs.student];
    yield {
      name: `student, seed ${seed}`,
      good: share >= KEPT_BAR && ratio >= MACS_BAR,
      says: `${points(accuracy)} %, ${points(share)} % of the teacher's, with ${ratio.toFixed(2)} times fewer MACs; by labels alone ${points(both.alone.accuracy)} %`,
    };
  }
  const margin = limitsOf(pairs.map((pair) => pair.taught.accuracy - pair.alone.accuracy));
  console.log(JSON.stringify({ seeds, margin }));
  yield {
    name: "taught rather than by labels alone",
    good: margin.low > 0,
    says: `${points(margin.mean)} points more (95 %: ${points(margin.low)} to ${points(margin.high)}), ${seeds} seeds`,
  };
  for (const { taught: student } of pairs.slice(0, 1)) {
    yield await rounded("student, W4A8", { model: student.model, float: student.accuracy }, bench);
  }
}

async function* teacherFromNothing({ folder, samples }: Bench): AsyncGenerator<Outcome> {
  yield await attempt("teacher from random weights", async () => {
    const recipe = limited(loadTraining(join(recipes, "fashion-mnist-teacher.yaml")), samples);
    const { accuracy } = await train(recipe, join(folder, "teacher"));
    return { good: accuracy >= TEACHER_BAR, says: `${points(accuracy)} %` };
  });
}

async function* halfOfGpt({ folder, samples }: Bench): AsyncGenerator<Outcome> {
  yield await attempt("half of the character GPT", async () => {
    const recipe = limited(loadTraining(join(recipes, "char-gpt-student.yaml")), samples);
    const { accuracy: bits, macs } = await train(recipe, join(folder, "gpt"));
    const [ratio, share] = [bits / GPT_BITS, macs.student / macs.teacher];
    return {
      good: ratio <= GPT_BAR && share <= 0.5,
      says: `${bits.toFixed(4)} bits per character, ${ratio.toFixed(4)} of the teacher's, with ${points(share)} % of its MACs`,
    };
  });
}

const PARTS: ReadonlyMap<string, (bench: Bench) => AsyncGenerator<Outcome>> = new Map([
  ["teacher-rounded", teacherRounded],
  ["student", students],
  ["teacher", teacherFromNothing],
  ["gpt", halfOfGpt],
]);

export const distillation: AcceptanceCheck = async function* (options) {
  const { part } = options;
  const chosen = part === undefined ? [...PARTS.values()] : [PARTS.get(part)].filter((each) => each !== undefined);
  if (chosen.length === 0) {
    yield { name: "parts", good: false, says: `there is no part ${part}; there are ${[...PARTS.keys()].join(", ")}` };
  }
  const folder = mkdtempSync(join(tmpdir(), "distillation-"));
  try {
    for (const each of chosen) yield* each({ ...options, folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
