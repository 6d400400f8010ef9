/** A teacher quantized once for every calibration seed, and all of them beside the teacher on held-out data. */
import { openBuildData, wantedOf } from "../../../src/build/data.ts";
import { passesOf } from "../../../src/build/passes.ts";
import { importTeacher } from "../../../src/build/teacher.ts";
import { type CertifyTask, tasksOf } from "../../../src/certify/task.ts";
import { type DataSpec, openDataset } from "../../../src/data/dataset.ts";
import { loadInteger } from "../../../src/emulate/integer.ts";
import { loadMetric } from "../../../src/evidence/metric.ts";
import { dropLimits } from "../../../src/evidence/statistics/drop.ts";
import { elementCount, type Graph } from "../../../src/ir/graph.ts";
import { encodeRecord } from "../../../src/ir/record.ts";
import type { Samples } from "../../../src/pass.ts";
import { runPasses } from "../../../src/passes.ts";
import type { Recipe } from "../../../src/recipe.ts";
import { createPool } from "../../../src/run/pool.ts";
import { loadTarget } from "../../../src/target/load.ts";
import { cut } from "../agreement.ts";
import { AGREEMENT, type Equal, shareOf } from "./agreement.ts";
import { drawn } from "./draw.ts";
import type { Measured, MeasureWork } from "./measure-worker.ts";

export interface MeasureOptions {
  readonly recipe: Recipe;
  /** What calibration sets are drawn from. */
  readonly pool: DataSpec;
  readonly seeds: number;
  readonly split: "selection" | "certification";
  /** At most so many samples of the split. */
  readonly samples: number;
}

/** A figure over the seeds, with 95 % limits of its mean that hold for other samples of other groups. */
export interface Figure {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
  readonly interval?: readonly [number, number];
}

export interface Measurement {
  readonly metric: string;
  readonly samples: number;
  readonly groups: number;
  readonly fp32: number;
  /** How much worse than the teacher's metric. */
  readonly drop: Figure;
  readonly agreement: Figure;
  /** Numbers in 4 bits, of all weights: filters, matrices and tables that rows are fetched from. */
  readonly int4Share: Figure;
}

const ALPHA = 0.025;

export async function measure(options: MeasureOptions): Promise<Measurement> {
  const { recipe, seeds } = options;
  const { graph } = await importTeacher(recipe);
  const { calibration: _, selection: __, ...rest } = recipe.data;
  const split = await openBuildData({ ...recipe, data: { ...rest, calibration: options.pool } }, graph);
  const records: Uint8Array[] = [];
  const shares: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const made = await integerGraph(recipe, graph, drawn(split.calibration, recipe.quantize.samples, seed));
    records.push(encodeRecord(made));
    shares.push(int4Share(made));
  }
  split.close();
  return { ...(await compared(recipe, await outcomes(options, graph, records))), int4Share: figure(shares) };
}

/** As the build makes it. */
async function integerGraph(recipe: Recipe, teacher: Graph, calibration: Samples): Promise<Graph> {
  const { jobs, seed } = recipe;
  const passes = passesOf(recipe, loadTarget(recipe.target));
  const { graph } = await runPasses(teacher, passes, { calibration, jobs, seed, execute: loadInteger });
  return graph;
}

const WEIGHTED: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "MatMul"]);

/** Numbers in 4 bits, of all weights of an integer graph: filters, matrices and tables that rows are fetched from. */
export function int4Share(graph: Graph): number {
  const packed = new Map(
    graph.nodes.filter(({ op }) => op === "UnpackWeights").map(({ inputs, outputs }) => [outputs[0], inputs[0]]),
  );
  const read = graph.nodes.flatMap(({ op, inputs }) => {
    if (op === "Gather") return [inputs[0]];
    return WEIGHTED.has(op) ? [packed.get(inputs[1]) ?? inputs[1]] : [];
  });
  let [narrow, all] = [0, 0];
  for (const name of new Set(read)) {
    const weights = graph.constants.get(name);
    if (!weights) continue;
    all += elementCount(weights.shape);
    if (weights.dtype === "int4") narrow += elementCount(weights.shape);
  }
  return narrow / all;
}

async function outcomes({ recipe, split, samples }: MeasureOptions, graph: Graph, records: readonly Uint8Array[]) {
  const data = recipe.data[split];
  if (data === undefined) throw new Error(`the recipe ${recipe.name} has no split ${split}`);
  const dataset = await openDataset(data, recipe.folder);
  const tasks = cut(tasksOf(dataset.length, dataset.sequences), samples);
  dataset.close();
  const { model, inputs, folder, metric } = recipe;
  const work: MeasureWork = { ...{ records, model, inputs, data, folder, metric }, wanted: wantedOf(graph) };
  const worker = new URL("./measure-worker.ts", import.meta.url);
  const found: Measured[] = [];
  for await (const some of createPool(recipe.jobs).map<MeasureWork, CertifyTask, readonly Measured[]>(
    worker,
    work,
    tasks,
  )) {
    found.push(...some);
  }
  return found;
}

async function compared(recipe: Recipe, samples: readonly Measured[]): Promise<Omit<Measurement, "int4Share">> {
  const metric = await loadMetric(recipe.metric, recipe.folder);
  const teacher = samples.map((sample) => sample.teacher);
  const reference = metric.combine(teacher, teacher);
  const sign = metric.direction === "higher" ? 1 : -1;
  const seeds = samples[0].compiled.map((_, seed) => samples.map(({ compiled }) => compiled[seed]));
  const drops = seeds.map((list) => sign * (reference - metric.combine(outcomesOf(list), teacher)));
  // All seeds' outcomes of a group are one group: what varies between groups bounds the mean over the seeds.
  const pairs = samples.flatMap(({ group, teacher: own, compiled }) =>
    compiled.map(({ outcome }) => ({ group, teacher: own, compiled: outcome })),
  );
  const equals = samples.flatMap(({ group, compiled }) =>
    compiled.map(({ equal }) => ({ group, teacher: { equal: equal.total, total: equal.total }, compiled: equal })),
  );
  const options = { alpha: ALPHA, seed: 1 };
  const [drop, differing] = [dropLimits(metric, pairs, options), dropLimits(AGREEMENT, equals, options)];
  return {
    metric: metric.name,
    samples: samples.length,
    groups: new Set(samples.map(({ group }) => group)).size,
    fp32: reference,
    drop: figure(drops, drop && [drop.lower, drop.upper]),
    agreement: figure(
      seeds.map((list) => shareOf(list.map(({ equal }) => equal as Equal))),
      differing && [1 - differing.upper, Math.min(1, 1 - differing.lower)],
    ),
  };
}

const outcomesOf = (list: readonly { readonly outcome: unknown }[]): unknown[] => list.map(({ outcome }) => outcome);

const rounded = (value: number): number => Number(value.toFixed(6));

function figure(values: readonly number[], interval?: readonly [number, number]): Figure {
  return {
    mean: rounded(values.reduce((sum, value) => sum + value, 0) / values.length),
    least: rounded(Math.min(...values)),
    most: rounded(Math.max(...values)),
    ...(interval && { interval: [rounded(interval[0]), rounded(interval[1])] as const }),
  };
}
