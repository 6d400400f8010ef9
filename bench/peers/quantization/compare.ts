/**
 * Our quantization beside the peers', on the same teacher, calibration samples and held-out data, in one run:
 *
 *   python -m venv A && A/bin/pip install -r bench/peers/quantization/requirements.txt
 *   python -m venv B && B/bin/pip install -r bench/peers/quantization/requirements-aimet.txt
 *   node bench/peers/quantization/compare.ts quickstart --python A/bin/python --aimet B/bin/python
 *
 * One JSON line each. Peers' models run under ONNX Runtime without fused integer kernels, which round differently from machine
 * to machine; ours runs as the chip's integer program.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { wantedOf } from "../../../src/build/data.ts";
import { importTeacher } from "../../../src/build/teacher.ts";
import { openTeacher } from "../../../src/certify/teacher.ts";
import { type DataArray, type DataSpec, type Dataset, openDataset } from "../../../src/data/dataset.ts";
import { fitSample, type Wanted } from "../../../src/data/fit.ts";
import { encodeNpz } from "../../../src/data/write-npz.ts";
import { loadInteger } from "../../../src/emulate/integer.ts";
import { loadMetric, type Metric } from "../../../src/evidence/metric.ts";
import { dropLimits } from "../../../src/evidence/statistics/drop.ts";
import { dequantize } from "../../../src/ir/codes.ts";
import type { Tensor } from "../../../src/ir/graph.ts";
import { decodeRecord } from "../../../src/ir/record.ts";
import { encodeModel } from "../../../src/onnx/write.ts";
import type { Recipe } from "../../../src/recipe.ts";
import { createSession } from "../../../src/run/ort.ts";
import { AGREEMENT, type Equal, equalAnswers, shareOf } from "../../../test/acceptance/quantization/agreement.ts";
import { recipeOf } from "../../../test/acceptance/quantization/teachers.ts";

/** What a contender says of itself, and its way to answer. */
interface Contender {
  readonly says: Readonly<Record<string, unknown>>;
  answer(feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, DataArray>>;
}

interface Answer {
  readonly group: string;
  readonly teacher: unknown;
  readonly compiled: readonly { readonly outcome: unknown; readonly equal: Equal }[];
}

const ALPHA = 0.025;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string" },
    aimet: { type: "string" },
    calibration: { type: "string", default: "256" },
    samples: { type: "string", default: "Infinity" },
  },
});
for (const teacher of positionals) await compare(teacher);

async function compare(name: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "peers-"));
  try {
    const recipe = recipeOf(name, "W8A8");
    const { graph } = await importTeacher(recipe);
    const wanted = wantedOf(graph);
    const [model, calibration] = [join(folder, "model.onnx"), join(folder, "calibration.npz")];
    writeFileSync(model, encodeModel(graph));
    writeFileSync(calibration, await calibrationOf(recipe, wanted, Number(values.calibration)));
    const contenders: Contender[] = [];
    for (const [at, command] of commands(name, model, calibration, folder).entries()) {
      contenders.push(await contenderOf(command, at === 0));
    }
    await report(name, recipe, wanted, contenders);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Ours first. The last argument of the base command is the model that is written. */
function commands(name: string, model: string, calibration: string, folder: string): string[][] {
  const list = [[process.execPath, here("ours.ts"), name, calibration, join(folder, "ours.record")]];
  const peer = (python: string | undefined, script: string, ...flags: string[]) => {
    if (python === undefined) return;
    list.push([python, here(script), ...flags, model, calibration, join(folder, `${list.length}.onnx`)]);
  };
  peer(values.python, "ort_static.py");
  peer(values.python, "ort_static.py", "--accurate");
  peer(values.python, "nncf_ptq.py");
  peer(values.python, "nncf_ptq.py", "--accurate");
  peer(values.aimet, "aimet_ptq.py");
  peer(values.aimet, "aimet_ptq.py", "--accurate");
  return list;
}

/** Evenly spread over the recipe's calibration split. */
async function calibrationOf(recipe: Recipe, wanted: Wanted, count: number): Promise<Uint8Array> {
  const dataset = await openDataset(recipe.data.calibration as DataSpec, recipe.folder);
  const size = Math.min(count, dataset.length);
  const arrays = new Map<string, { shape: readonly number[]; parts: Float32Array }>();
  for (let index = 0; index < size; index++) {
    const sample = fitSample(await dataset.read(Math.floor((index * dataset.length) / size)), wanted);
    for (const [name, { data, shape }] of sample) {
      const found = arrays.get(name) ?? { shape: shape.slice(1), parts: new Float32Array(size * data.length) };
      found.parts.set(data as Float32Array, index * data.length);
      arrays.set(name, found);
    }
  }
  dataset.close();
  return encodeNpz(
    new Map(
      [...arrays].map(([name, { shape, parts }]) => [name, { dtype: "float32", shape: [size, ...shape], data: parts }]),
    ),
  );
}

async function contenderOf(command: readonly string[], isOurs: boolean): Promise<Contender> {
  const [program, ...args] = command;
  const start = performance.now();
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: 2 ** 28 });
  const processMs = Math.round(performance.now() - start);
  const told = command.map((word) => word.split("/").at(-1)).join(" ");
  if (done.status !== 0) {
    return { says: { command: told, failed: done.stderr.trim().split("\n").at(-1) }, answer: async () => new Map() };
  }
  const says = { command: told, ...JSON.parse(done.stdout.trim().split("\n").at(-1) as string), processMs };
  const file = command[command.length - 1];
  if (isOurs) {
    const integer = loadInteger(decodeRecord(readFileSync(file)));
    const real = (tensor: Tensor) => (tensor.quant === undefined ? tensor : dequantize(tensor)) as DataArray;
    const answer = async (feeds: ReadonlyMap<string, Tensor>) =>
      new Map([...integer.run(feeds)].map(([name, tensor]): [string, DataArray] => [name, real(tensor)]));
    return { says, answer };
  }
  const session = await createSession(file);
  return { says, answer: async (feeds) => (await session.run(feeds)) as Map<string, DataArray> };
}

async function report(name: string, recipe: Recipe, wanted: Wanted, contenders: readonly Contender[]): Promise<void> {
  const metric = await loadMetric(recipe.metric, recipe.folder);
  const dataset = await openDataset(recipe.data.certification, recipe.folder);
  const working = contenders.filter(({ says }) => says.failed === undefined);
  const answers = await answersOf(recipe, metric, dataset, wanted, working);
  dataset.close();
  const teacher = answers.map((answer) => answer.teacher);
  const reference = metric.combine(teacher, teacher);
  const sign = metric.direction === "higher" ? 1 : -1;
  for (const { says } of contenders) {
    const at = working.findIndex((each) => each.says === says);
    if (at < 0) {
      print({ teacher: name, ...says });
      continue;
    }
    const compiled = answers.map((answer) => answer.compiled[at]);
    const drop =
      sign *
      (reference -
        metric.combine(
          compiled.map(({ outcome }) => outcome),
          teacher,
        ));
    const agreement = shareOf(compiled.map(({ equal }) => equal));
    print({
      ...{ teacher: name, ...says, samples: answers.length, metric: metric.name, fp32: reference, drop, agreement },
      ...(at > 0 && { oursBetter: gains(metric, answers, at) }),
    });
  }
}

async function answersOf(
  recipe: Recipe,
  metric: Metric,
  dataset: Dataset,
  wanted: Wanted,
  contenders: readonly Contender[],
): Promise<Answer[]> {
  const teacher = await openTeacher(recipe.model, recipe.inputs);
  const answers: Answer[] = [];
  for (let index = 0; index < Math.min(dataset.length, Number(values.samples)); index++) {
    const sample = await dataset.read(index);
    const feeds = fitSample(sample, wanted) as ReadonlyMap<string, Tensor>;
    const reference = metric.outcome((await teacher.step(feeds)) as Map<string, DataArray>, sample.target);
    const compiled: { outcome: unknown; equal: Equal }[] = [];
    for (const { answer } of contenders) {
      const outcome = metric.outcome(await answer(feeds), sample.target);
      compiled.push({ outcome, equal: equalAnswers(metric, reference, outcome) });
    }
    answers.push({ group: sample.group, teacher: reference, compiled });
  }
  await teacher.release();
  return answers;
}

/** By how much we are better than contender `at`: 95 % limits, paired by group. */
function gains(metric: Metric, answers: readonly Answer[], at: number) {
  const pairs = (of: (answer: { readonly outcome: unknown; readonly equal: Equal }) => unknown) =>
    answers.map(({ group, compiled }) => ({ group, teacher: of(compiled[0]), compiled: of(compiled[at]) }));
  const options = { alpha: ALPHA, seed: 1 };
  const limits = [
    dropLimits(
      metric,
      pairs(({ outcome }) => outcome),
      options,
    ),
    dropLimits(
      AGREEMENT,
      pairs(({ equal }) => equal),
      options,
    ),
  ].map((found) => found && [found.lower, found.estimate, found.upper]);
  return { metric: limits[0], agreement: limits[1] };
}

function print(line: object): void {
  const short = (_: string, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(6)) : value);
  console.log(JSON.stringify(line, short));
}
