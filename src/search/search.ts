/** A goal instead of formats: what each layer costs in each format is measured, and the cheapest plan that holds the goal is built. */
import type { SearchRecord } from "../artifact/lineage.ts";
import type { BuildData } from "../build/data.ts";
import { wantedOf } from "../build/data.ts";
import { type Lowered, loweringDepends, openStages, type StagesOptions } from "../build/kept.ts";
import type { ImportedTeacher } from "../build/teacher.ts";
import { type Cache, openCache } from "../cache/store.ts";
import { bug, CompileError } from "../error.ts";
import { decodeRecord } from "../ir/record.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";
import { chainOf, narrow, spread } from "./choose.ts";
import { type Costs, costOfGraph, costsOf, type PlanCost, planCost } from "./costs.ts";
import { type Candidate, frontOf, recordOf, type Tried } from "./front.ts";
import { type Prepared, prepare, quantizedAlone } from "./graphs.ts";
import { itemsOf, planOf } from "./items.ts";
import { type Judgement, judgeRecord } from "./judge.ts";
import { paretoFront } from "./knapsack.ts";
import { formatsOf, SEARCHED_FORMATS, type SearchedFormat, type SearchSpace, searchSpace } from "./layers.ts";
import { selectionSamples } from "./samples.ts";
import { distanceIn, type Sensitivity, sensitivityOf } from "./sensitivity.ts";
import { referencesOf } from "./trial.ts";
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
/** Plans that are scheduled whole before any is built. */
const SCHEDULED = 32;
/** Times that differ by less than this part of that of W8A8 are one. */
const STEPS = 1000;

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
  const base = costs.uniform.W8A8;
  const step = base.cycles / STEPS;
  const limit = goal.maxMs === undefined ? undefined : (goal.maxMs / base.ms) * base.cycles;
  const rough = shortlist(space, sensitivity, costs, step, limit);
  const plans = await scheduled(
    { prepared, space, costs, sensitivity },
    rough,
    cache,
    depends,
    said("plans scheduled"),
  );
  const chain = chainOf(plans, step, limit);
  const built = new Map<Candidate, Built>();
  const build = async (plan: readonly SearchedFormat[]): Promise<Built> => {
    const own = { ...recipe, quantize: { ...recipe.quantize, formats: formatsOf(space, plan) } };
    const lowered = await openStages(own, target, options).lower(teacher, data);
    const cost = costOfGraph(decodeRecord(lowered.record), recipe, target);
    const judging = { progress: said("selection samples"), ...(signal && { signal }) };
    const judgement = await judgeRecord(recipe, lowered.record, wantedOf(teacher.graph), judging);
    return { recipe: own, lowered, cost, judgement };
  };
  const place = await narrow(chain, goal, goal.tries, async (at) => {
    progress?.detail(`building plan ${built.size + 1} of at most ${goal.tries}`);
    const made = await build(chain[at].plan);
    built.set(chain[at], made);
    return { drop: made.judgement.drop, ms: made.cost.ms };
  });
  if (place === undefined) {
    const widest = () => build(space.layers.map((): SearchedFormat => "W8A16"));
    throw await nothingHolds(goal, costs, [...built.values()], widest);
  }
  const best = chain[place];
  const chosen = built.get(best) ?? bug("a plan that was not built holds");
  const tried = plans.map((plan): Tried => {
    const own = built.get(plan);
    return { ...plan, ...(own && { measured: { ...own.judgement, ...own.cost } }), chosen: plan === best };
  });
  const record = recordOf({
    ...{ goal, judgement: chosen.judgement, samples, formats: chosen.recipe.quantize.formats },
    front: frontOf(tried),
    distances: space.layers.map(({ name }, at) => ({
      layer: name,
      formats: Object.fromEntries(
        SEARCHED_FORMATS.map((format) => [format, distanceIn(space, sensitivity, at, format)]),
      ),
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
    const references = await referencesOf(graph, selectionSamples(recipe, graph, count), signal);
    const bench = { references, states: graph.states, metric: recipe.metric, folder: recipe.folder };
    const options = { jobs: recipe.jobs, progress, ...(signal && { signal }) };
    const sensitivity = await sensitivityOf(space, await quantizedAlone(prepared), bench, options);
    return { sensitivity, samples: references.length };
  };
  return (await cache.through("sensitivity", { ...depends, count }, make)).value;
}

/** What is known of layers and values one by one. */
interface Known {
  readonly prepared: Prepared;
  readonly space: SearchSpace;
  readonly costs: Costs;
  readonly sensitivity: Sensitivity;
}

/** Plans that may be the answer by what their parts cost, spread over all that there are. */
function shortlist(
  space: SearchSpace,
  sensitivity: Sensitivity,
  costs: Costs,
  step: number,
  limit: number | undefined,
): SearchedFormat[][] {
  const items = itemsOf(space, sensitivity, costs);
  const { cycles, weightBytes } = costs.uniform.W8A8;
  const whole = paretoFront(items).map((one) => {
    return { ...one, cycles: one.cycles + cycles, bytes: one.bytes + weightBytes };
  });
  // The parts' costs are not the plan's to the cycle: what is a little too slow may be in time.
  const chain = chainOf(whole, step, limit === undefined ? undefined : limit + 2 * step);
  return spread(chain, SCHEDULED).map(({ choice }) => planOf(space, items, choice));
}

/** The plans, and the four uniform ones before them, as they cost when they are scheduled whole. */
async function scheduled(
  { prepared, space, costs, sensitivity }: Known,
  plans: readonly (readonly SearchedFormat[])[],
  cache: Cache,
  depends: object,
  progress: (done: number, of: number) => void,
): Promise<Candidate[]> {
  const candidate = (plan: readonly SearchedFormat[], cost: PlanCost, uniform?: SearchedFormat): Candidate => ({
    ...{ plan, cost, cycles: cost.cycles, bytes: cost.weightBytes, loss: lossOf(space, sensitivity, plan) },
    ...(uniform && { uniform }),
  });
  const found = SEARCHED_FORMATS.map((format) => {
    return candidate(
      space.layers.map(() => format),
      costs.uniform[format],
      format,
    );
  });
  const known = new Set(found.map(({ plan }) => plan.join()));
  for (const [at, plan] of plans.entries()) {
    if (known.has(plan.join())) continue;
    known.add(plan.join());
    prepared.signal?.throwIfAborted();
    const formats = formatsOf(space, plan);
    const { npus, allowCpu, gates } = prepared.recipe;
    const limits = { npus, allowCpu, sramBytes: gates.maxSramBytes };
    const key = { ...depends, limits, formats };
    found.push(candidate(plan, (await cache.through("plan-cost", key, () => planCost(prepared, formats))).value));
    progress(at + 1, plans.length);
    // Ctrl-C is heard between plans.
    await new Promise(setImmediate);
  }
  return found;
}

/** Each group's values count once, each layer's weights once. */
function lossOf(space: SearchSpace, { weights, values }: Sensitivity, plan: readonly SearchedFormat[]): number {
  const ofWeights = plan.reduce(
    (sum, format, at) => sum + weights[at][format.startsWith("W4") ? "int4" : "int8"].distance,
    0,
  );
  return space.groups.reduce((sum, { layers: [first] }, group) => {
    const wide = first !== undefined && plan[first].endsWith("A16");
    return sum + values[group][wide ? "int16" : "int8"].distance;
  }, ofWeights);
}
