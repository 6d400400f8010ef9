/** The choices of which a schedule of a small graph consists, listed one by one: nothing here asks the scheduler what is good. */
import { convMappings } from "../../src/emulate/cycles.ts";
import { type Graph, intAttr, type Node } from "../../src/ir/graph.ts";
import { analyse } from "../../src/schedule/cascade/rows.ts";
import { segmentOf } from "../../src/schedule/cascade/segment.ts";
import { stripJobs } from "../../src/schedule/cascade/strips.ts";
import type { Grid, Place, Places } from "../../src/schedule/grid.ts";
import { type Job, outputsOf, type TileJob } from "../../src/schedule/job.ts";
import type { MappedPart } from "../../src/schedule/jobs/linear.ts";
import { lowerGraph } from "../../src/schedule/lower.ts";
import { addTransfers, type Transfers } from "../../src/schedule/transfers.ts";
import { type Root, type View, wholeBox } from "../../src/schedule/view.ts";
import { placement } from "../../src/target/placement.ts";
import type { Target } from "../../src/target/schema.ts";

/** One mapping of the graph, and its chains of layers in strips or not, as jobs. */
export interface Variant {
  readonly jobs: readonly TileJob[];
  readonly inPlace: Transfers["inPlace"];
  /** Tensors that may stay in SRAM or not. */
  readonly movable: readonly Root[];
  /** Tensors that lie in DRAM in any case. */
  readonly inDram: ReadonlySet<Root>;
  /** Jobs that are strips: each of them is one command, and they come in the order in which they stand. */
  readonly strips: ReadonlySet<Job>;
}

/** Of a depthwise layer's channels, the quarters that the vector unit takes. */
const QUARTERS = [0, 1, 2, 3, 4];
const STRIPS = [2, 3, 4, 6, 8];

/** The ways to put a depthwise layer on array and vector unit. */
function waysOf(node: Node, job: Job | undefined, target: Target): MappedPart[][] {
  if (job?.kind !== "tile") return [];
  const operand = (view: View) => {
    return { space: "sram", address: 0, dtype: view.root.dtype, shape: view.shape, strides: view.strides } as const;
  };
  const inputs = job.inputs.map((view) => view && operand(view));
  const command = job.command(wholeBox(job.output.shape), inputs, operand(job.output));
  if (command.kind !== "conv" || intAttr(node, "group", 1) === 1) return [];
  const channels = command.y.shape[1];
  return convMappings(command, target).flatMap(({ mapping, block }) => {
    if (mapping === "vector") return [];
    return QUARTERS.map((quarters): MappedPart[] => {
      const away = Math.round((channels * quarters) / 4);
      const vector = { mapping: "vector", block: 1, start: 0, count: away } as const;
      const array = { mapping, block, start: away, count: channels - away };
      return [vector, array].filter(({ count }) => count > 0);
    });
  });
}

function productOf<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((one) => list.map((next) => [...one, next])), [[]]);
}

/** Every mapping of the graph's depthwise layers, each with no chain in strips and with every one. */
export function variantsOf(graph: Graph, target: Target): Variant[] {
  const placed = placement(graph, target, {});
  const first = lowerGraph(graph, placed, new Map());
  const ways = graph.nodes.flatMap((node) => {
    const own = waysOf(node, first.byNode.get(node)?.[0], target);
    return own.length > 0 ? [own.map((parts) => [node, parts] as const)] : [];
  });
  return productOf(ways).flatMap((mappings) => {
    const lowered = lowerGraph(graph, placed, new Map(mappings));
    const { jobs, inPlace } = addTransfers(graph, lowered, target.sram.bytes);
    const tiled = jobs.filter((job) => job.kind === "tile");
    const plain = { jobs: tiled, inPlace, movable: movableOf(tiled), inDram: new Set<Root>(), strips: new Set<Job>() };
    return [plain, ...stripped(plain, target)];
  });
}

function movableOf(jobs: readonly Job[]): Root[] {
  const roots = jobs.flatMap((job) => outputsOf(job).map(({ root }) => root));
  return [...new Set(roots)].filter(({ kind }) => kind !== "output");
}

/** Every chain of at least two layers in every number of strips; rows that two strips share are kept, or made again. */
function stripped({ jobs, inPlace, movable }: Variant, target: Target): Variant[] {
  const bytes = movable.reduce((sum, root) => sum + root.bytes, 0);
  // What lies in SRAM as a whole needs no strips.
  if (bytes * 2 <= target.sram.bytes) return [];
  const analysis = analyse(jobs);
  const found: Variant[] = [];
  for (let from = 0; from < jobs.length; from++) {
    for (let to = from + 2; to <= jobs.length && analysis.work[to - 1]?.movable; to++) {
      if (!analysis.work[from]?.movable) break;
      for (const outside of [new Set<Root>(), new Set(movable)]) {
        const segment = segmentOf(analysis, from, to, (root) => outside.has(root));
        const rows = analysis.work[to - 1]?.count ?? 1;
        const inner = segment.links.flatMap((reads) => reads.flatMap(({ makers }) => makers));
        const all = new Set(inner.filter((part) => segment.parts[part].work && !segment.parts[part].sink));
        for (const strips of STRIPS.filter((count) => count <= rows)) {
          for (const again of all.size > 0 ? [new Set<number>(), all] : [all]) {
            const cascade = stripJobs(segment, strips, again);
            const after = [...jobs.slice(0, from), ...cascade.jobs, ...jobs.slice(to)];
            const kept = new Set<Job>(after);
            const own = [...inPlace].filter(([, { jobs: stores }]) => stores.every((store) => kept.has(store)));
            found.push({
              jobs: after,
              inPlace: new Map(own),
              movable: [],
              inDram: new Set([...cascade.inDram, ...movable.filter((root) => !outside.has(root))]),
              strips: new Set(cascade.jobs),
            });
          }
        }
      }
    }
  }
  return found;
}

/** Where the operands of a job are. */
export function placesIn(job: TileJob, inSram: (root: Root) => boolean): Places {
  const placeOf = (view: View): Place => (inSram(view.root) ? "sram" : "stage");
  const inputs = job.inputs.map((view, at) => {
    if (view === undefined) return undefined;
    return job.direct?.input === at ? "direct" : view.root.kind === "constant" ? "package" : placeOf(view);
  });
  return { inputs, output: job.direct?.output ? "direct" : placeOf(job.output) };
}

/** A load or a store of a tensor that stays where it is. */
export function isNothing(job: TileJob, inSram: (root: Root) => boolean): boolean {
  return job.direct !== undefined && job.inputs[0]?.root === job.output.root && !inSram(job.output.root);
}

/** How finely a space is cut: pieces on the first and on the second axis of a layer, and of what is loaded or stored. */
export interface Fineness {
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly transfers: readonly number[];
  /** Where hardly such a grid fits: so many finer ones that fit, that fit twice, and that leave room for others. */
  readonly finer: number;
}

function distinct(grids: readonly Grid[]): Grid[] {
  return [...new Map(grids.map((grid) => [JSON.stringify(grid), grid])).values()];
}

/** Every grid of so many pieces on a layer's first two axes, in both loop orders, and on one of the first three of a transfer. */
export function gridsOf(job: TileJob, { first, second, transfers }: Omit<Fineness, "finer">): Grid[] {
  const { shape } = job.output;
  const axes = job.cuts.filter(({ axis, quantum }) => shape[axis] > quantum);
  const pieces = (at: number, counts: readonly number[]): Grid[] => {
    const found = new Map<number, Grid>();
    for (const { axis, quantum } of axes.slice(at, at + 1)) {
      for (const count of counts) {
        const size = Math.ceil(shape[axis] / quantum / count) * quantum;
        found.set(size, size < shape[axis] ? [{ axis, size }] : []);
      }
    }
    return found.size > 0 ? [...found.values()] : [[]];
  };
  if (job.direct) return distinct([0, 1, 2].flatMap((at) => pieces(at, transfers)));
  return pieces(0, first).flatMap((a) =>
    pieces(1, second).flatMap((b) =>
      a.length > 0 && b.length > 0
        ? [
            [...a, ...b],
            [...b, ...a],
          ]
        : [[...a, ...b]],
    ),
  );
}
