/**
 * The best schedule of a small graph, by trying every one of a space. A schedule of the space is a choice of
 * - the mapping of every depthwise layer: either of the array's ways or the vector unit, in quarters of the channels;
 * - a chain of two or more layers in 2, 3, 4, 6 or 8 strips that hand each other rows in SRAM, halos kept or made again, or none;
 * - the tensors that stay in SRAM: every set of them;
 * - the tiles of every layer: pieces along its first two axes, in both loop orders, and of every load and store, along one axis
 *   (`LEVELS`: of the sizes of space the finest that can be tried out), constants held until the layer's end or loaded again, so far as they fit;
 * - the order of the tiles of all layers, loads and stores: all interleavings (`eachOrder`) if there are at most 24 of them (`LEVELS`: or fewer),
 *   else layer after layer and two orders that go through the layers side by side;
 * - the addresses of what stays: side by side, or packed by first fit in the best of all orders.
 * Plans and orders are left out only if the work of one engine, of the DRAM, or one chain of dependent tiles takes as long already as the
 * best schedule known (`known` to begin with); all others are emitted and timed by the emulator.
 *
 * What it shares with the scheduler decides nothing: the jobs of a graph, the cutting of a job into the tiles of a grid and of a chain
 * into the strips of a number, the emission of commands for tiles in a given order at given addresses (which brings constants and staged
 * blocks in by first use, as early as there is room), and the cycles of commands. Not in the space: uneven pieces, more than two cut axes,
 * tiles of one job in another order than that of its loops, several chains in strips at once, strips whose commands come in another
 * order, parts of tensors in SRAM, several NPUs.
 */
import { costOf } from "../../src/emulate/costs.ts";
import { dramBytesPerCycle } from "../../src/emulate/cycles.ts";
import { withDrains } from "../../src/emulate/drain.ts";
import { flowOf as commandFlow, simulate } from "../../src/emulate/simulate.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { emit, OutOfSram } from "../../src/schedule/emit.ts";
import { type Grid, type GridMemory, memoryOf, type Places } from "../../src/schedule/grid.ts";
import { inputsOf, outputsOf, type TileJob } from "../../src/schedule/job.ts";
import type { Command } from "../../src/schedule/program.ts";
import type { Root } from "../../src/schedule/view.ts";
import type { Target } from "../../src/target/schema.ts";
import { type Flow, flowOf, linksOf, type Option, optionOf, UNITS } from "./flow.ts";
import { eachOrder } from "./orders.ts";
import { placements, type Span } from "./place.ts";
import { type Fineness, gridsOf, isNothing, placesIn, type Variant, variantsOf } from "./space.ts";

export interface Optimum {
  /** Of the best schedule in the space, or `known` if none is better. */
  readonly cycles: number;
  /** Plans (all but the order and the addresses), and schedules that were emitted and timed. */
  readonly plans: number;
  readonly timed: number;
  /** The grids of the best one that was found. */
  readonly grids: readonly string[];
}

/** Plans, tiles of schedules to be timed, tiles to be put in order: more, and a space is too large. */
const MOST_PLANS = 30_000;
const MOST_TIMED = 300_000;
const MOST_PLACED = 400_000;

/** A space is too large to be tried out. */
export class TooLarge extends Error {}

interface Level extends Fineness {
  /** Programs of at most so many tiles are tried in every order. */
  readonly tiles: number;
}

/** How finely layers are cut, from the largest space on. */
const LEVELS: readonly Level[] = [
  { first: [1, 2, 3, 4, 6, 8], second: [1, 2, 3, 4], transfers: [1, 2, 4], finer: 4, tiles: 24 },
  { first: [1, 2, 3, 4], second: [1, 2, 3], transfers: [1, 2, 4], finer: 4, tiles: 24 },
  { first: [1, 2, 4], second: [1, 2], transfers: [1, 2], finer: 4, tiles: 24 },
  { first: [1, 2], second: [1, 2], transfers: [1, 2], finer: 3, tiles: 24 },
  { first: [1, 2], second: [1], transfers: [1, 2], finer: 3, tiles: 24 },
  { first: [1, 2], second: [1], transfers: [1, 2], finer: 3, tiles: 12 },
  { first: [1, 2], second: [1], transfers: [1], finer: 2, tiles: 12 },
  { first: [1, 2], second: [1], transfers: [1], finer: 2, tiles: 0 },
  { first: [1, 2], second: [1], transfers: [1], finer: 1, tiles: 0 },
];

/** Where hardly a grid so coarse fits: of these those with the fewest tiles. */
const FEW = 4;
const FINER = { first: [1, 2, 4, 8, 16, 32, 64], second: [1, 2, 4, 8, 16, 32], transfers: [1, 2, 4, 8] };

interface Choice {
  readonly grid: Grid;
  readonly hold: boolean;
}

/** Grids of one job that fit, constants held or not. */
function choicesOf(job: TileJob, places: Places, fineness: Fineness, target: Target): Choice[] {
  const packed = places.inputs.includes("package");
  const thoseOf = (cuts: Omit<Fineness, "finer">) =>
    gridsOf(job, cuts).flatMap((grid) => {
      const ways = [false, ...(packed && grid.length > 1 ? [true] : [])];
      const found = ways.map((hold) => memoryOf(job, places, grid, target, hold));
      return found.filter(({ single }) => single <= target.sram.bytes);
    });
  const coarse = thoseOf(fineness);
  if (coarse.length >= FEW || job.direct) return coarse;
  // The largest tiles that fit, that fit twice, and that leave room for others.
  const fine = thoseOf(FINER).sort((a, b) => a.tiles - b.tiles);
  const { bytes } = target.sram;
  const found = [(one: GridMemory) => one.double <= bytes / 2, (one: GridMemory) => one.double <= bytes, () => true];
  return [...new Set([...coarse, ...found.flatMap((fits) => fine.filter(fits).slice(0, fineness.finer))])];
}

/** The jobs of one variant with the tensors that stay in SRAM, and what each job may be. */
interface Subspace {
  readonly variant: Variant;
  readonly inSram: (root: Root) => boolean;
  readonly choices: readonly (readonly Choice[])[];
  /** By job: equal where its operands lie alike. */
  readonly keys: readonly string[];
}

function subspacesOf(variants: readonly Variant[], fineness: Fineness, target: Target): Subspace[] {
  return variants.flatMap((variant) => {
    const { movable, inDram, jobs, inPlace, strips } = variant;
    const known = new Map<string, Choice[]>();
    return Array.from({ length: 2 ** movable.length }, (_, set): Subspace => {
      const away = new Set([...inDram, ...movable.filter((_, at) => (set >> at) & 1)]);
      const inSram = (root: Root) => root.kind !== "output" && !away.has(root);
      const keys: string[] = [];
      const choices = jobs.map((job, at) => {
        const places = placesIn(job, inSram);
        const skipped = [...inPlace].some(([root, { jobs: stores }]) => !inSram(root) && stores.includes(job));
        const isOne = skipped || strips.has(job) || isNothing(job, inSram);
        keys[at] = `${at} ${skipped} ${JSON.stringify(places)}`;
        const found =
          known.get(keys[at]) ?? (isOne ? [{ grid: [], hold: false }] : choicesOf(job, places, fineness, target));
        known.set(keys[at], found);
        return found;
      });
      return { variant, inSram, choices, keys };
    });
  });
}

interface Plan {
  readonly variant: Variant;
  readonly options: readonly Option[];
  readonly inSram: (root: Root) => boolean;
  readonly flow: Flow;
}

/** Least work of each engine and of the DRAM, job by job from the end: what the jobs from here on take at least. */
function restOf(choices: readonly (readonly Option[])[]): Float64Array[] {
  const rest = [new Float64Array(UNITS + 1)];
  for (const own of choices.toReversed()) {
    const least = new Float64Array(UNITS + 1).fill(Number.POSITIVE_INFINITY);
    for (const { works } of own) for (const [at, work] of works.entries()) least[at] = Math.min(least[at], work);
    rest.unshift(least.map((work, at) => work + rest[0][at]));
  }
  return rest;
}

function plansIn({ choices }: Subspace): number {
  return choices.reduce((product, own) => product * own.length, 1);
}

/** Every plan whose bound is below `known`. */
function plansOf(subspaces: readonly Subspace[], target: Target, known: number): Plan[] {
  const plans: Plan[] = [];
  let variant: Variant | undefined;
  let options = new Map<string, Option[]>();
  let table = new Map<Option, Map<Option, number[][]>>();
  const links = (maker: Option, reader: Option) => {
    const own = table.get(maker) ?? new Map<Option, number[][]>();
    table.set(maker, own);
    const found = own.get(reader) ?? linksOf(maker, reader);
    own.set(reader, found);
    return found;
  };
  for (const subspace of subspaces) {
    const { inSram, keys } = subspace;
    if (subspace.variant !== variant) [variant, options, table] = [subspace.variant, new Map(), new Map()];
    const { jobs } = subspace.variant;
    const choices = subspace.choices.map((own, at): Option[] => {
      const skipped = keys[at].startsWith(`${at} true`);
      const found =
        options.get(keys[at]) ??
        own.map(({ grid, hold }) => optionOf(jobs[at], at, grid, hold, inSram, skipped, target));
      options.set(keys[at], found);
      return found;
    });
    const rest = restOf(choices);
    const chosen: Option[] = [];
    const choose = (at: number, works: Float64Array): void => {
      if (works.some((work, unit) => work + rest[at][unit] >= known)) return;
      if (at < choices.length) {
        for (const one of choices[at]) {
          chosen[at] = one;
          choose(
            at + 1,
            works.map((work, unit) => work + one.works[unit]),
          );
        }
        return;
      }
      const flow = flowOf(chosen, (maker, reader) => links(chosen[maker], chosen[reader]));
      if (flow.bound < known) plans.push({ variant: subspace.variant, options: [...chosen], inSram, flow });
    };
    choose(0, new Float64Array(UNITS + 1));
  }
  return plans.sort((a, b) => a.flow.bound - b.flow.bound);
}

class Timer {
  timed = 0;
  private tiles = 0;
  private readonly target: Target;
  private readonly addresses = new Map<Root, number>();
  private next = 0;
  private readonly workOf: (command: Command) => ReturnType<typeof costOf>;

  constructor(target: Target) {
    this.target = target;
    const perCycle = dramBytesPerCycle(target);
    this.workOf = (command) => costOf(command, target, perCycle);
  }

  private addressOf(root: Root): number {
    const address = this.addresses.get(root) ?? this.next;
    this.addresses.set(root, address);
    if (address === this.next) this.next += Math.ceil(Math.max(1, root.bytes) / 64) * 64;
    return address;
  }

  /** Cycles of the tiles of a plan in an order; infinite where they find no room. */
  time({ options, inSram, flow }: Plan, order: readonly number[]): number {
    this.timed++;
    this.tiles += order.length;
    if (this.tiles > MOST_TIMED) throw new TooLarge(`schedules of more than ${MOST_TIMED} tiles`);
    const { target, workOf } = this;
    const jobs = options.map(({ planned }) => planned);
    const steps = order.map((id) => ({ job: flow.job[id], tile: flow.tile[id] }));
    const spans = new Map<Root, Span>();
    steps.forEach(({ job: at }, position) => {
      const { job } = jobs[at];
      for (const { root } of [...inputsOf(job), ...outputsOf(job)]) {
        if (root.kind === "constant" || !inSram(root)) continue;
        spans.set(root, { root, first: spans.get(root)?.first ?? position, last: position });
      }
    });
    let least = Number.POSITIVE_INFINITY;
    const { bytes: sramBytes, alignmentBytes: alignment } = target.sram;
    for (const residency of placements([...spans.values()], steps.length, sramBytes, alignment)) {
      try {
        const lead = 2 * target.dma.latencyCycles;
        const dramAddress = (root: Root) => this.addressOf(root);
        const given = {
          jobs,
          steps,
          residency,
          sramBytes,
          alignment,
          lead,
          workOf,
          dramAddress,
          npus: 1,
          prefetch: true,
        };
        const { commands } = emit(given);
        const drained = withDrains(commands, commands.map(workOf), target);
        least = Math.min(least, simulate(commandFlow(drained.commands, drained.works)).cycles);
      } catch (error) {
        if (!(error instanceof OutOfSram)) throw error;
      }
    }
    return least;
  }
}

/** Layer after layer, and two ways through the layers side by side: tile by tile, and by the share of each layer that is done. */
function someOrders({ options, flow }: Plan): number[][] {
  const ids = Array.from({ length: flow.count }, (_, id) => id);
  const ranked = (rank: (id: number) => number): number[] => {
    const missing = Int32Array.from(flow.before, (list) => list.length);
    const after: number[][] = ids.map(() => []);
    for (const id of ids) for (const other of flow.before[id]) after[other].push(id);
    const order: number[] = [];
    const ready = ids.filter((id) => missing[id] === 0);
    while (ready.length > 0) {
      const at = ready.reduce((best, id, index) => (rank(id) < rank(ready[best]) ? index : best), 0);
      const [id] = ready.splice(at, 1);
      order.push(id);
      for (const other of after[id]) if (--missing[other] === 0) ready.push(other);
    }
    return order;
  };
  const share = (id: number) => (flow.tile[id] + 1) / options[flow.job[id]].tiles.length + flow.job[id] / 1e6;
  const later = (id: number) => -flow.job[id] + flow.tile[id] / 1e6;
  return [ids, ranked(share), ranked(later)];
}

/**
 * The least cycles of all schedules in the space, if they are fewer than `known`. `layers`: the fewer, the finer the space, which is the
 * finest that can be tried out. Throws TooLarge where none can.
 */
export function optimumOf(graph: Graph, layers: number, target: Target, known = Number.POSITIVE_INFINITY): Optimum {
  const variants = variantsOf(graph, target);
  for (let level = Math.max(0, layers - 2); level < LEVELS.length; level++) {
    const subspaces = subspacesOf(variants, LEVELS[level], target);
    const count = subspaces.reduce((sum, one) => sum + plansIn(one), 0);
    if (count > MOST_PLANS) continue;
    try {
      return optimumIn(subspaces, LEVELS[level].tiles, count, target, known);
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
    }
  }
  throw new TooLarge(`every space has more than ${MOST_PLANS} plans, or schedules of more than ${MOST_TIMED} tiles`);
}

function optimumIn(
  subspaces: readonly Subspace[],
  tiles: number,
  count: number,
  target: Target,
  known: number,
): Optimum {
  const plans = plansOf(subspaces, target, known);
  const timer = new Timer(target);
  let cycles = known;
  let best: Plan | undefined;
  const time = (plan: Plan, order: readonly number[]): boolean => {
    const own = timer.time(plan, order);
    if (own < cycles) [cycles, best] = [own, plan];
    return plan.flow.bound < cycles;
  };
  // Some orders of each plan first: the better the best one known, the more is left out.
  for (const plan of plans) {
    if (plan.flow.bound >= cycles) break;
    for (const order of someOrders(plan)) time(plan, order);
  }
  let placed = 0;
  const limit = () => {
    if (++placed > MOST_PLACED) throw new TooLarge(`more than ${MOST_PLACED} tiles to be put in order`);
    return cycles;
  };
  for (const plan of plans) {
    if (plan.flow.bound >= cycles) break;
    if (plan.flow.count <= tiles && plan.variant.strips.size === 0)
      eachOrder(plan.flow, limit, (order) => time(plan, order));
  }
  const grids = (best?.options ?? []).map(
    ({ planned: { job, grid } }) => `${job.name} ${grid.map(({ axis, size }) => `${axis}:${size}`).join(",")}`,
  );
  return { cycles, plans: count, timed: timer.timed, grids };
}
