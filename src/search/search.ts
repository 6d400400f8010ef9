/** A goal instead of formats: what each layer costs in each format is measured, and the cheapest plan that holds the goal is built. */
import type { SearchRecord } from "../artifact/lineage.ts";
import type { BuildData } from "../build/data.ts";
import { wantedOf } from "../build/data.ts";
import { type Lowered, loweringDepends, openStages, type StagesOptions } from "../build/kept.ts";
import type { ImportedTeacher } from "../build/teacher.ts";
import { type Cache, openCache } from "../cache/store.ts";
import { openDataset } from "../data/dataset.ts";
import { fitSample } from "../data/fit.ts";
import { bug, CompileError } from "../error.ts";
import type { Tensor } from "../ir/graph.ts";
import { decodeRecord } from "../ir/record.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";
import { chainOf, narrow } from "./choose.ts";
import { type Costs, costOfGraph, costsOf, type PlanCost, planCost } from "./costs.ts";
import { type Candidate, frontOf, recordOf } from "./front.ts";
import { type Prepared, prepare, quantizedAlone } from "./graphs.ts";
import { itemsOf, planOf } from "./items.ts";
import { type Judgement, judgeRecord } from "./judge.ts";
import { paretoFront, type Selection } from "./knapsack.ts";
import { FORMAT_NAMES, type FormatName, formatsOf, type SearchSpace, searchSpace } from "./layers.ts";
import { distanceIn, type Sensitivity, sensitivityOf } from "./sensitivity.ts";
import { type Reference, referencesOf } from "./trial.ts";
import { nothingHolds } from "./unmet.ts";

/** What a search decided. */
export interface Found {
  /** The recipe with the formats that were chosen. */
  readonly recipe: Recipe;
  /** What its passes made, since the plan was built whole. */
  readonly lowered: Lowered;
  readonly record: SearchRecord;
}

/** A plan that was built: what it is, and how good. */
export interface Built {
  readonly recipe: Recipe;
  readonly lowered: Lowered;
  readonly cost: PlanCost;
  readonly judgement: Judgement;
}

/** Fewer samples say nothing of a drop. */
const LEAST_SAMPLES = 32;
/** Plans of the front that are scheduled for a reader to see, besides those that were built. */
const SHOWN = 12;

/**
 * Throws usage/nothing-quantized, usage/goal-selection, evidence/few-selection, gate/goal where no plan holds the goal, and what
 * passes, scheduler, data and metric throw.
 */
export async function searchFormats(
  recipe: Recipe,
  target: Target,
  teacher: ImportedTeacher,
  data: BuildData,
  options: StagesOptions = {},
): Promise<Found> {
  const goal = recipe.goal ?? bug("there is no goal to search for");
  requireSelection(recipe, data);
  const { signal, cache: folder, progress } = options;
  const said = (what: string) => (done: number, of: number) => progress?.detail(`${what}: ${done} of ${of}`);
  const prepared = await prepare(recipe, target, teacher.graph, data, signal);
  const space = searchSpace(prepared.graph);
  const cache = openCache(folder, { warn: (text) => progress?.warn(text) });
  const depends = { ...loweringDepends(recipe, target, teacher, data, folder), metric: recipe.metric };
  const costs = await keptCosts(cache, depends, prepared, space, said("plans scheduled"));
  const { sensitivity, samples } = await keptSensitivity(cache, depends, prepared, space, said("formats tried"));
  const items = itemsOf(space, sensitivity, costs);
  const front = paretoFront(items);
  const base = costs.uniform.W8A8;
  const limit = goal.maxMs === undefined ? undefined : (goal.maxMs / base.ms - 1) * base.cycles;
  const chain = chainOf(front, limit);
  const built = new Map<number, Built>();
  const build = async (plan: readonly FormatName[]): Promise<Built> => {
    const own = { ...recipe, quantize: { ...recipe.quantize, formats: formatsOf(space, plan) } };
    const lowered = await openStages(own, target, options).lower(teacher, data);
    const cost = costOfGraph(decodeRecord(lowered.record), recipe, target);
    const judging = { progress: said("selection samples"), ...(signal && { signal }) };
    const judgement = await judgeRecord(recipe, lowered.record, wantedOf(teacher.graph), judging);
    return { recipe: own, lowered, cost, judgement };
  };
  const best = await narrow(chain, goal, goal.tries, async (place) => {
    progress?.detail(`building plan ${built.size + 1} of at most ${goal.tries}`);
    const made = await build(planOf(space, items, chain[place].choice));
    built.set(place, made);
    return { drop: made.judgement.drop, ms: made.cost.ms };
  });
  if (best === undefined) {
    const widest = () => build(space.layers.map((): FormatName => "W8A16"));
    throw await nothingHolds(goal, costs, [...built.values()], widest);
  }
  const candidates = await candidatesOf({ prepared, space, costs, sensitivity }, chain, built, best, (choice) =>
    planOf(space, items, choice),
  );
  const chosen = built.get(best) ?? bug("a plan that was not built holds");
  const record = recordOf({
    ...{ goal, judgement: chosen.judgement, samples, formats: chosen.recipe.quantize.formats },
    front: frontOf(candidates),
    distances: space.layers.map(({ name }, at) => ({
      layer: name,
      formats: Object.fromEntries(FORMAT_NAMES.map((format) => [format, distanceIn(space, sensitivity, at, format)])),
    })),
  });
  return { recipe: chosen.recipe, lowered: chosen.lowered, record };
}

function requireSelection({ data: { selection } }: Recipe, data: BuildData): void {
  const size = data.data.get("selection")?.size ?? 0;
  if (selection === undefined) {
    throw new CompileError("usage/goal-selection", "a goal needs data to choose by, and the recipe gives none", {
      where: "data.selection",
      remedy: "add data.selection: labelled samples that are neither calibration nor certification data",
    });
  }
  if (size >= LEAST_SAMPLES) return;
  throw new CompileError("evidence/few-selection", `${size} selection samples are too few to choose formats by`, {
    where: "data.selection",
    remedy: `give ${LEAST_SAMPLES} or more; some hundreds tell small drops apart`,
  });
}

async function keptCosts(
  cache: Cache,
  depends: object,
  prepared: Prepared,
  space: SearchSpace,
  progress: (done: number, of: number) => void,
): Promise<Costs> {
  const { npus, allowCpu, gates } = prepared.recipe;
  const limits = { npus, allowCpu, sramBytes: gates.maxSramBytes };
  const make = () => costsOf(prepared, space, { progress });
  return (await cache.through("format-costs", { ...depends, limits }, make)).value;
}

async function keptSensitivity(
  cache: Cache,
  depends: object,
  prepared: Prepared,
  space: SearchSpace,
  progress: (done: number, of: number) => void,
): Promise<{ readonly sensitivity: Sensitivity; readonly samples: number }> {
  const { recipe, graph, signal } = prepared;
  const count = recipe.goal?.samples ?? 0;
  const make = async () => {
    const references = await referencesOf(graph, selectionSamples(prepared, count), signal);
    const bench = { references, states: graph.states, metric: recipe.metric, folder: recipe.folder };
    const options = { jobs: recipe.jobs, progress, ...(signal && { signal }) };
    const sensitivity = await sensitivityOf(space, await quantizedAlone(prepared), bench, options);
    return { sensitivity, samples: references.length };
  };
  return (await cache.through("sensitivity", { ...depends, count }, make)).value;
}

/** Labelled samples of the selection split, spread over it; of streams the first ones. */
async function* selectionSamples(
  { recipe, graph }: Prepared,
  count: number,
): AsyncGenerator<Omit<Reference, "outputs">> {
  const dataset = await openDataset(recipe.data.selection ?? bug("no selection split"), recipe.folder);
  const wanted = wantedOf(graph);
  const used = Math.min(count, dataset.length);
  let sequence: string | undefined;
  try {
    for (let at = 0; at < used; at++) {
      const index = dataset.sequences ? at : Math.floor((at * dataset.length) / used);
      const sample = await dataset.read(index);
      const first = sample.sequence === undefined || sample.sequence !== sequence;
      sequence = sample.sequence;
      const feeds = fitSample(sample, wanted) as ReadonlyMap<string, Tensor>;
      yield { feeds, first, ...(sample.target !== undefined && { target: sample.target }) };
    }
  } finally {
    dataset.close();
  }
}

interface Known {
  readonly prepared: Prepared;
  readonly space: SearchSpace;
  readonly costs: Costs;
  readonly sensitivity: Sensitivity;
}

/** What a reader is shown: the uniform plans, those that were built, and some of the others. */
async function candidatesOf(
  { prepared, space, costs, sensitivity }: Known,
  chain: readonly Selection[],
  built: ReadonlyMap<number, Built>,
  best: number,
  planOfChoice: (choice: readonly number[]) => FormatName[],
): Promise<Candidate[]> {
  const uniform = FORMAT_NAMES.map((format): Candidate => {
    const plan = space.layers.map(() => format);
    return {
      plan,
      loss: lossOf(space, sensitivity, plan),
      cost: costs.uniform[format],
      uniform: format,
      chosen: false,
    };
  });
  const spread = Array.from({ length: Math.min(SHOWN, chain.length) }, (_, at, of = Math.min(SHOWN, chain.length)) =>
    Math.round((at * (chain.length - 1)) / Math.max(1, of - 1)),
  );
  const places = [...new Set([...spread, ...built.keys()])].sort((a, b) => a - b);
  const shown: Candidate[] = [];
  for (const place of places) {
    prepared.signal?.throwIfAborted();
    const plan = planOfChoice(chain[place].choice);
    const own = built.get(place);
    shown.push({
      plan,
      loss: chain[place].loss,
      cost: await planCost(prepared, formatsOf(space, plan)),
      ...(own && { measured: { ...own.judgement, ...own.cost } }),
      chosen: place === best,
    });
  }
  return [...uniform, ...shown];
}

/** Each group's values count once, each layer's weights once. */
function lossOf(space: SearchSpace, { weights, values }: Sensitivity, plan: readonly FormatName[]): number {
  const ofWeights = plan.reduce(
    (sum, format, at) => sum + weights[at][format.startsWith("W4") ? "int4" : "int8"].distance,
    0,
  );
  return space.groups.reduce((sum, { layers: [first] }, group) => {
    const wide = first !== undefined && plan[first].endsWith("A16");
    return sum + values[group][wide ? "int16" : "int8"].distance;
  }, ofWeights);
}
