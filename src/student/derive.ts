/** A student from its teacher: fewer blocks, lower ranks, fewer channels, as many as a size or a latency allows. */
import { CompileError } from "../error.ts";
import { sizeOf } from "../inspect.ts";
import { type Graph, isStatic, type Type } from "../ir/graph.ts";
import { inferTypes } from "../ops/infer.ts";
import { type Block, rankBlocks, residualBlocks, withoutBlocks } from "./blocks.ts";
import { compensated } from "./compensate.ts";
import { type Factored, factorLayers } from "./low-rank.ts";
import type { Batch } from "./means.ts";
import { worthOf } from "./rank.ts";
import { reconstructed } from "./reconstruct.ts";
import { sliceUnits } from "./slice.ts";
import { type UnitGroup, type Units, unitsOf } from "./units.ts";

export interface StudentSpec {
  /** Share of the residual blocks that stay. */
  readonly layers?: number | undefined;
  /** Share of the channels that stay in every group. */
  readonly width?: number | undefined;
  /** At most this share of the multiply-accumulates of every dense layer, as two thinner ones. */
  readonly rank?: number | undefined;
  /** At most this share of the teacher's multiply-accumulates. */
  readonly macs?: number | undefined;
  /** At most so many milliseconds a run of one sample. */
  readonly maxMs?: number | undefined;
  /** Channels stay in multiples of this where a group has twice as many. */
  readonly multiple: number;
  /** Fit each layer anew to the teacher's values, on what it reads in the student. */
  readonly reconstruct?: boolean | undefined;
}

export interface DeriveOptions {
  readonly batches: readonly Batch[];
  /** Milliseconds of one sample on the target; asked for with `maxMs`. */
  readonly latency?: (graph: Graph) => Promise<number>;
}

export interface StudentReport {
  /** In the order in which they are missed least; none are measured where none go. */
  readonly blocks: readonly { readonly name: string; readonly effect: number; readonly dropped: boolean }[];
  /** Layers that became two thinner ones. */
  readonly factored: readonly Factored[];
  readonly groups: readonly { readonly name: string; readonly teacher: number; readonly student: number }[];
  readonly macs: { readonly teacher: number; readonly student: number };
  readonly parameters: { readonly teacher: number; readonly student: number };
  readonly ms?: number;
}

/** Shares of channels that are tried, from the widest: 32nds. */
const STEPS = 32;

/**
 * The teacher with its least missed blocks gone, its layers at a lower rank, its least missed channels gone, weights and all. Of the widths that meet `macs` and `maxMs` it is
 * the widest, of 32nds, and what reads it takes the dropped channels' part from those that stay; where not even the narrowest does, another block goes. Throws usage/student-too-large where nothing does.
 */
export async function deriveStudent(teacher: Graph, spec: StudentSpec, options: DeriveOptions) {
  const graph = inferTypes(teacher);
  const whole = sizeAtOne(graph);
  const meets = async (student: Graph): Promise<{ fits: boolean; ms?: number }> => {
    if (spec.macs !== undefined && sizeAtOne(student).macs > spec.macs * whole.macs) return { fits: false };
    if (spec.maxMs === undefined || options.latency === undefined) return { fits: true };
    const ms = await options.latency(student);
    return { fits: ms <= spec.maxMs, ms };
  };
  const count = residualBlocks(graph).length;
  const least = spec.layers === undefined ? 0 : count - Math.max(0, Math.round(count * spec.layers));
  const hasGoal = spec.macs !== undefined || spec.maxMs !== undefined;
  let ranked: Awaited<ReturnType<typeof rankBlocks>> | undefined;
  for (let gone = least; gone <= (hasGoal && spec.layers === undefined ? count : least); gone++) {
    if (gone > 0) ranked ??= await rankBlocks(graph, options.batches);
    const blocks = (ranked ?? []).slice(0, gone).map(({ block }) => block);
    const deep = withoutBlocks(graph, blocks);
    const { rank: share, multiple } = spec;
    const thin =
      share === undefined
        ? { graph: deep, layers: [] }
        : await factorLayers(deep, { share, multiple }, options.batches);
    const found = await widest(thin.graph, spec, options.batches, meets);
    if (found === undefined) continue;
    const sliced = sliceUnits(await compensated(found.units, found.dropped, options.batches), found.dropped);
    const student = spec.reconstruct
      ? await reconstructed(
          sliced,
          graph,
          (value, axis) => found.units.keptAlong(value, axis, found.dropped),
          options.batches,
        )
      : sliced;
    return { graph: student, report: { ...reportOf(graph, found, ranked ?? [], blocks), factored: thin.layers } };
  }
  throw new CompileError("usage/student-too-large", "no student of this teacher is as small as the recipe asks", {
    where: "student",
    remedy: "allow more milliseconds or multiply-accumulates, or bring a smaller student as `model`",
  });
}

interface Found {
  readonly graph: Graph;
  readonly units: Units;
  readonly kept: Kept;
  readonly dropped: ReadonlySet<number>;
  readonly ms?: number;
}

type Kept = ReadonlyMap<UnitGroup, number>;
type Meets = (student: Graph) => Promise<{ fits: boolean; ms?: number }>;

/** Attempts to give room that rounding left back to single groups: each costs a schedule where milliseconds count. */
const REFILLS = 48;

async function widest(graph: Graph, spec: StudentSpec, batches: readonly Batch[], meets: Meets) {
  const units = unitsOf(graph);
  const worth = await worthOf(units, batches);
  const order = new Map(units.groups.map((group) => [group, leastFirst(group, worth)]));
  const droppedAt = (kept: Kept): Set<number> =>
    new Set(
      units.groups.flatMap((group) => order.get(group)?.slice(0, group.units.length - (kept.get(group) ?? 0)) ?? []),
    );
  const sliced = (kept: Kept): Graph => sliceUnits(units, droppedAt(kept));
  const attempt = async (kept: Kept): Promise<Found | undefined> => {
    const student = sliced(kept);
    const { fits, ms } = await meets(student);
    return fits
      ? { graph: student, units, kept, dropped: droppedAt(kept), ...(ms !== undefined && { ms }) }
      : undefined;
  };
  const uniform = (width: number): Kept =>
    new Map(units.groups.map((group) => [group, keptOf(group, width, spec.multiple)]));
  if (spec.width !== undefined) return attempt(uniform(spec.width));
  let found = await attempt(uniform(1));
  if (found !== undefined) return found;
  // Narrower is not slower, but for a few cycles: halve the widths that are left.
  let [low, high] = [0, STEPS];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const next = await attempt(uniform(middle / STEPS));
    if (next === undefined) high = middle;
    else [low, found] = [middle, next];
  }
  // What is gained a multiply-accumulate more, best first, as long as it fits.
  for (let tries = 0; found !== undefined && tries < REFILLS; ) {
    const { kept, graph: now }: Found = found;
    const macs = sizeAtOne(now).macs;
    const wider = units.groups.flatMap((group) => {
      const [count, step] = [kept.get(group) ?? 0, stepOf(group, spec.multiple)];
      if (count + step > group.units.length) return [];
      const more: Kept = new Map(kept).set(group, count + step);
      const least = order.get(group) ?? [];
      const back = least.slice(group.units.length - count - step, group.units.length - count);
      const gain = back.reduce((sum, unit) => sum + (worth.get(unit) ?? 0), 0);
      return [{ more, rate: gain / Math.max(1, sizeAtOne(sliced(more)).macs - macs) }];
    });
    wider.sort((a, b) => b.rate - a.rate);
    let next: Found | undefined;
    for (const { more } of wider) {
      next = tries++ < REFILLS ? await attempt(more) : undefined;
      if (next !== undefined) break;
    }
    if (next === undefined) break;
    found = next;
  }
  return found;
}

function leastFirst(group: UnitGroup, worth: ReadonlyMap<number, number>): number[] {
  return [...group.units].sort((a, b) => (worth.get(a) ?? 0) - (worth.get(b) ?? 0) || b - a);
}

/** Units of several channels (heads) fill the array's lanes together; groups with few units go one by one. */
function stepOf({ units, width }: UnitGroup, multiple: number): number {
  const step = multiple % width === 0 ? multiple / width : 1;
  return units.length < 2 * step ? 1 : step;
}

/** How many units of a group stay: whole multiples of channels where there are enough, and never none. */
function keptOf(group: UnitGroup, width: number, multiple: number): number {
  const [count, step] = [group.units.length, stepOf(group, multiple)];
  return Math.min(count, Math.max(step, Math.round((count * width) / step) * step));
}

/** Of one sample: every free size is 1. */
function sizeAtOne(graph: Graph): { macs: number; parameters: number } {
  const { macs, parameters } = sizeOf(atOne(graph));
  return { macs: macs ?? 0, parameters };
}

/** The graph for one sample: every free size is 1. */
export function atOne(graph: Graph): Graph {
  const types = new Map<string, Type>();
  for (const name of graph.inputs) {
    const type = graph.types.get(name);
    if (type?.shape) types.set(name, { ...type, shape: type.shape.map((dim) => (typeof dim === "number" ? dim : 1)) });
  }
  const typed = [...graph.types].filter(([name, { shape }]) => !types.has(name) && isStatic(shape));
  return inferTypes({ ...graph, types: new Map([...types, ...typed]) });
}

function reportOf(
  teacher: Graph,
  found: Found,
  ranked: Awaited<ReturnType<typeof rankBlocks>>,
  gone: readonly Block[],
) {
  const [before, after] = [sizeAtOne(teacher), sizeAtOne(found.graph)];
  const dropped = new Set(gone);
  return {
    blocks: ranked.map(({ block, effect }) => ({ name: block.name, effect, dropped: dropped.has(block) })),
    groups: found.units.groups.map((group) => ({
      ...{ name: group.name, teacher: group.units.length, student: found.kept.get(group) ?? group.units.length },
    })),
    macs: { teacher: before.macs, student: after.macs },
    parameters: { teacher: before.parameters, student: after.parameters },
    ...(found.ms !== undefined && { ms: found.ms }),
  } satisfies Omit<StudentReport, "factored">;
}
