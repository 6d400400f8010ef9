/** Machine, fast executor and the exported integer ONNX under ONNX Runtime: one and the same code in every output. */
import { readdirSync } from "node:fs";
import { wantedOf } from "../../src/build/data.ts";
import { make } from "../../src/build.ts";
import { type CertifyTask, tasksOf } from "../../src/certify/task.ts";
import { openDataset } from "../../src/data/dataset.ts";
import { encodeRecord } from "../../src/ir/record.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { createPool } from "../../src/run/pool.ts";
import type { AgreeAnswer, AgreeWork } from "./agree-worker.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";

/** Of recipes other than the quick start, whose samples are all run. */
const USUAL_SAMPLES = 200;
/** What the recipes do not say themselves, on fewer samples: other arithmetic, no matter how good. */
const FORMAT_SAMPLES = 20;
const FORMATS = [
  ["W4A8", ["quantize.weights=int4", "quantize.block=32"]],
  ["W4A4", ["target=ai5-preview", "quantize.weights=int4", "quantize.block=32", "quantize.activations=int4"]],
  ["W4A16", ["quantize.weights=int4", "quantize.block=128", "quantize.activations=int16"]],
] as const;
const worker = new URL("./agree-worker.ts", import.meta.url);

export async function* agreement({ samples }: AcceptanceOptions): AsyncIterable<Outcome> {
  for (const file of readdirSync("recipes").filter((name) => name.endsWith(".yaml"))) {
    const limit = samples ?? (file === "quickstart.yaml" ? Number.POSITIVE_INFINITY : USUAL_SAMPLES);
    yield await attempt(file, () => compare(`recipes/${file}`, limit));
    for (const [format, set] of FORMATS) {
      const few = Math.min(limit, FORMAT_SAMPLES);
      yield await attempt(`${file} ${format}`, () => compare(`recipes/${file}`, few, ["quantize.samples=16", ...set]));
    }
  }
}

async function compare(path: string, limit: number, set: readonly string[] = []): Promise<Omit<Outcome, "name">> {
  const recipe = loadRecipe(path, { set });
  const { integer, scheduled, teacher } = await make(recipe);
  const { certification: data } = recipe.data;
  const dataset = await openDataset(data, recipe.folder);
  const tasks = cut(tasksOf(dataset.length, dataset.sequences), limit);
  dataset.close();
  const work: AgreeWork = {
    record: encodeRecord(integer),
    sections: scheduled.sections,
    ...{ data, folder: recipe.folder, wanted: wantedOf(teacher.graph) },
  };
  const spent = new Map<string, number>();
  let count = 0;
  for await (const answer of createPool(recipe.jobs).map<AgreeWork, CertifyTask, AgreeAnswer>(worker, work, tasks)) {
    if (answer.difference !== undefined) return { good: false, says: answer.difference };
    count += answer.samples;
    for (const [name, ms] of Object.entries(answer.spent)) spent.set(name, (spent.get(name) ?? 0) + ms);
  }
  const times = [...spent].map(([name, ms]) => `${name} ${(ms / count).toFixed(1)} ms`);
  return { good: count > 0, says: `${count} samples, every code equal (${times.join(", ")} a sample)` };
}

/** The first samples; sequences keep their beginnings. */
export function cut(tasks: readonly CertifyTask[], limit: number): CertifyTask[] {
  const kept: CertifyTask[] = [];
  let left = limit;
  for (const { start, length } of tasks) {
    if (left <= 0) break;
    kept.push({ start, length: Math.min(length, left) });
    left -= length;
  }
  return kept;
}
