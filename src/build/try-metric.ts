import { openTeacher } from "../certify/teacher.ts";
import { type DataArray, type DataSpec, openDataset } from "../data/dataset.ts";
import { fitSample, type Wanted } from "../data/fit.ts";
import { loadMetric } from "../evidence/metric.ts";
import type { Tensor } from "../ir/graph.ts";
import type { Recipe } from "../recipe.ts";

/** What only says which samples are taken. */
const CHOOSES: ReadonlySet<string> = new Set(["split", "offset", "limit", "count", "seed"]);

/**
 * The certifier would find out last that a metric cannot judge the data. Where calibration is a part of the same data, one
 * of its samples tells that before the passes run; the certification data stays unseen. Throws what the metric throws.
 */
export async function tryMetric({ model, inputs, data, metric, folder }: Recipe, wanted: Wanted): Promise<void> {
  const name = typeof metric === "string" ? metric : metric.name;
  // A module of the user's is the certifier's to run.
  if (!/^[A-Za-z]+$/.test(name)) return;
  const judge = await loadMetric(metric, folder);
  if (sourceOf(data.calibration) !== sourceOf(data.certification)) return;
  const dataset = await openDataset(data.calibration, folder);
  const teacher = await openTeacher(model, inputs);
  try {
    const sample = await dataset.read(0);
    const outputs = await teacher.step(fitSample(sample, wanted) as ReadonlyMap<string, Tensor>);
    judge.outcome(outputs as Map<string, DataArray>, sample.target);
  } finally {
    dataset.close();
    await teacher.release();
  }
}

const sourceOf = (spec: DataSpec): string =>
  JSON.stringify(
    Object.entries(spec)
      .filter(([key]) => !CHOOSES.has(key))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
