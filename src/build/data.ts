import type { Lineage } from "../artifact/lineage.ts";
import { type Cache, openCache } from "../cache/store.ts";
import { type DataSpec, type Dataset, openDataset } from "../data/dataset.ts";
import { checkDisjoint, digestOf, fingerprintsOf, type Labelled } from "../data/disjoint.ts";
import { checkInputs, fitSample, type Wanted } from "../data/fit.ts";
import { type Graph, isStatic, logical, type Tensor } from "../ir/graph.ts";
import type { Samples } from "../pass.ts";
import type { Recipe } from "../recipe.ts";
import { toolFacts } from "../tool.ts";

/** What a build may look at. The certification data is not among it. */
export interface BuildData {
  readonly calibration: Samples;
  readonly data: ReadonlyMap<string, Samples>;
  readonly lineage: Lineage["data"];
  close(): void;
}

export interface DataOptions {
  readonly signal?: AbortSignal;
  /** The folder that fingerprints of data with an origin are kept in; without one all samples are read. */
  readonly cache?: string;
}

/** Throws what openDataset and checkInputs throw, and usage/leak where splits share a sample or a source. */
export async function openBuildData(recipe: Recipe, graph: Graph, options: DataOptions = {}): Promise<BuildData> {
  const wanted = wantedOf(graph);
  const calibration = await openSplit("calibration", recipe.data.calibration, recipe.folder, wanted, options);
  const { selection: spec } = recipe.data;
  const selection = spec && (await openSplit("selection", spec, recipe.folder, wanted, options));
  const splits = new Map([["calibration", calibration.lineage.samples]]);
  if (selection !== undefined) splits.set("selection", selection.lineage.samples);
  checkDisjoint(splits);
  return {
    calibration: withLabels(calibration.samples, calibration.labels, selection?.labels ?? []),
    data: new Map(selection === undefined ? [] : [["selection", selection.samples]]),
    lineage: { calibration: calibration.lineage, ...(selection && { selection: selection.lineage }) },
    close() {
      calibration.dataset.close();
      selection?.dataset.close();
    },
  };
}

/** What a sample must hold: the inputs that are not fed back. */
export function wantedOf(graph: Graph): Wanted {
  const states = new Set(graph.states.map(({ input }) => input));
  const wanted = new Map<string, { dtype: string; shape: readonly number[] }>();
  for (const name of graph.inputs) {
    const type = graph.types.get(name);
    if (states.has(name) || type === undefined || !isStatic(type.shape)) continue;
    wanted.set(name, { dtype: logical(type).dtype, shape: type.shape });
  }
  return wanted;
}

async function openSplit(name: string, spec: DataSpec, folder: string, wanted: Wanted, options: DataOptions) {
  const dataset = await openDataset(spec, folder);
  checkInputs(dataset, wanted, name);
  const samples = await keptFingerprints(dataset, spec, options);
  const labels = samples.map(({ label }) => label);
  const bare = samples.map(({ id, group, hash }) => ({ id, group, hash }));
  return { dataset, labels, samples: asSamples(dataset, wanted), lineage: { digest: digestOf(bare), samples: bare } };
}

/** Data that says what it comes from is not made again to be compared: origin, options and program decide every sample. */
async function keptFingerprints(dataset: Dataset, spec: DataSpec, options: DataOptions): Promise<Labelled[]> {
  const origin = options.cache === undefined ? undefined : dataset.origin?.();
  if (origin === undefined) return await fingerprintsOf(dataset, options.signal);
  const cache: Cache = openCache(options.cache);
  const { compiler, numerics } = toolFacts();
  const depends = { spec, origin, length: dataset.length, compiler, numerics };
  return (await cache.through("data", depends, () => fingerprintsOf(dataset, options.signal))).value;
}

/** Classes are those of either split; one sample without a class, and nothing is said about any. */
function withLabels(
  samples: Samples,
  own: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): Samples {
  const all = [...own, ...others];
  if (own.length === 0 || all.includes(undefined)) return samples;
  const classes = [...new Set(all as number[])].sort((a, b) => a - b);
  return { ...samples, labels: { classes, of: (index) => own[index] as number } };
}

function asSamples(dataset: Dataset, wanted: Wanted): Samples {
  const { sequences } = dataset;
  const names = sequences?.flatMap(({ name, length }) => new Array<string>(length).fill(name));
  return {
    size: dataset.length,
    async feeds(index) {
      return fitSample(await dataset.read(index), wanted) as ReadonlyMap<string, Tensor>;
    },
    ...(names && { sequence: (index: number) => names[index] }),
  };
}
