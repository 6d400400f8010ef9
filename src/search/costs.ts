/** Time and bytes of plans on the chip: whole plans are scheduled, and what they cost is told apart by layer. */
import { scheduleGraph } from "../build/schedule.ts";
import { operate } from "../emulate/power.ts";
import { profileOf } from "../emulate/profile.ts";
import { timelineOf } from "../emulate/timing.ts";
import type { Graph } from "../ir/graph.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";
import { everywhere, type Prepared, skeletonOf } from "./graphs.ts";
import { type FormatName, formatsOf, SEARCHED_FORMATS, type SearchedFormat, type SearchSpace } from "./layers.ts";

/** Of one inference on the recipe's target and profile, as `certify` measures it. */
export interface PlanCost {
  readonly cycles: number;
  readonly ms: number;
  readonly weightBytes: number;
  readonly dramBytes: number;
}

interface Timed extends PlanCost {
  /** Of the run, by the teacher's nodes that commands come from. */
  readonly byOrigin: readonly { readonly origin: readonly string[]; readonly cycles: number }[];
}

/** What each choice adds to the plan in which every layer is W8A8. */
export interface Costs {
  readonly uniform: Readonly<Record<SearchedFormat, PlanCost>>;
  /** By layer, of 4-bit weights: where its input is in 8 bits, and in 16. */
  readonly int4: readonly Readonly<Record<"int8" | "int16", { readonly cycles: number; readonly bytes: number }>>[];
  /**
   * By group, of storing its values in 16 bits: the layers that read them take two passes, what makes them writes twice the
   * bytes, and what else reads them reads twice.
   */
  readonly int16: readonly { readonly cycles: number; readonly bytes: number }[];
}

/** A graph of integers as the recipe has it scheduled. Throws what the scheduler throws. */
export function costOfGraph(graph: Graph, recipe: Recipe, target: Target): PlanCost {
  return timed(graph, recipe, target);
}

function timed(graph: Graph, recipe: Recipe, target: Target): Timed {
  const { allowCpu, npus, profile, gates } = recipe;
  const limits = { allowCpu, npus, ...(gates.maxSramBytes && { sramBytes: gates.maxSramBytes }) };
  const { program, sections } = scheduleGraph(graph, target, limits);
  const { target: clocked, timing } = operate(program, target, { profile });
  const timeline = timelineOf(program, clocked, { profile });
  const byOrigin = profileOf(timeline, clocked).map(({ commands: [first], cycles }) => ({
    origin: timeline.commands[first].origin,
    cycles,
  }));
  const { cycles, ms, dramBytes } = timing;
  return { cycles, ms, dramBytes, weightBytes: sections.weights.length, byOrigin };
}

/** A plan's own cost, scheduled whole. */
export async function planCost(prepared: Prepared, formats: Readonly<Record<string, FormatName>>): Promise<PlanCost> {
  const { byOrigin: _, ...cost } = timed(await skeletonOf(prepared, formats), prepared.recipe, prepared.target);
  return cost;
}

export interface CostOptions {
  readonly progress?: (done: number, of: number) => void;
}

const NOTHING = { cycles: 0, bytes: 0 };

/** Groups that are scheduled in 16 bits one by one; of more, the cost is told apart by the profiles of the uniform plans. */
const MOST_SCHEDULED = 64;

/** Four uniform plans, and one plan for each group of values with that group alone in 16 bits. */
export async function costsOf(prepared: Prepared, space: SearchSpace, options: CostOptions = {}): Promise<Costs> {
  const { recipe, target, graph, signal } = prepared;
  const single = space.groups.length <= MOST_SCHEDULED;
  const total = SEARCHED_FORMATS.length + (single ? space.groups.length : 0);
  let done = 0;
  const run = async (formats: Readonly<Record<string, FormatName>>) => {
    signal?.throwIfAborted();
    const found = timed(await skeletonOf(prepared, formats), recipe, target);
    options.progress?.(++done, total);
    // Ctrl-C is heard between plans.
    await new Promise(setImmediate);
    return found;
  };
  const W8A8 = await run({});
  const uniform = {
    W8A8,
    W8A16: await run(everywhere(graph, "W8A16")),
    W4A8: await run(everywhere(graph, "W4A8")),
    W4A16: await run(everywhere(graph, "W4A16")),
  };
  const of = (name: SearchedFormat) => sharesOf(uniform[name], graph, space);
  const shares = { W8A8: of("W8A8"), W8A16: of("W8A16"), W4A8: of("W4A8"), W4A16: of("W4A16") };
  const bytes = savedBytes(space, W8A8.weightBytes - uniform.W4A8.weightBytes);
  const int4 = space.layers.map(({ weights }, at) => {
    if (weights === undefined) return { int8: NOTHING, int16: NOTHING };
    return {
      int8: { cycles: shares.W4A8[at] - shares.W8A8[at], bytes: -bytes[at] },
      int16: { cycles: shares.W4A16[at] - shares.W8A16[at], bytes: -bytes[at] },
    };
  });
  const int16: { cycles: number; bytes: number }[] = [];
  for (const group of space.groups) {
    if (!single) {
      int16.push({ cycles: group.layers.reduce((sum, at) => sum + shares.W8A16[at] - shares.W8A8[at], 0), bytes: 0 });
      continue;
    }
    const plan = space.layers.map((_, at): SearchedFormat => (group.layers.includes(at) ? "W8A16" : "W8A8"));
    const found = await run(formatsOf(space, plan));
    // What luck in the placement of buffers saves is not saved by many such changes together.
    int16.push({ cycles: Math.max(0, found.cycles - W8A8.cycles), bytes: found.weightBytes - W8A8.weightBytes });
  }
  return { uniform: mapped(uniform), int4, int16 };
}

function mapped(uniform: Readonly<Record<SearchedFormat, Timed>>): Costs["uniform"] {
  const plain = ({ byOrigin: _, ...cost }: Timed): PlanCost => cost;
  return {
    W8A8: plain(uniform.W8A8),
    W8A16: plain(uniform.W8A16),
    W4A8: plain(uniform.W4A8),
    W4A16: plain(uniform.W4A16),
  };
}

/** Cycles of a run by layer; those of no layer are not told. A command belongs to the first layer that has one of its nodes. */
function sharesOf({ byOrigin }: Timed, graph: Graph, { layers }: SearchSpace): number[] {
  const layerOf = new Map<string, number>();
  for (const [at, { nodes }] of layers.entries()) {
    for (const name of nodes.flatMap((place) => graph.nodes[place].origin))
      if (!layerOf.has(name)) layerOf.set(name, at);
  }
  const shares = new Array<number>(layers.length).fill(0);
  for (const { origin, cycles } of byOrigin) {
    const layer = origin.map((name) => layerOf.get(name)).find((at) => at !== undefined);
    if (layer !== undefined) shares[layer] += cycles;
  }
  return shares;
}

/** What 4 bits save, shared among the layers by their weights. */
function savedBytes({ layers }: SearchSpace, saved: number): number[] {
  const all = layers.reduce((sum, { parameters }) => sum + parameters, 0);
  return layers.map(({ parameters }) => (saved * parameters) / Math.max(1, all));
}
