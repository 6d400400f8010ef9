/** Loads of what a run is given and stores of what it leaves: jobs around those of the graph. */
import type { Graph } from "../ir/graph.ts";
import { inputsOf, type Job, outputsOf } from "./job.ts";
import { loadJob, moveJob, storeJob } from "./jobs/move.ts";
import type { Lowered } from "./lower.ts";
import { elementsOf, isContiguous, type Root, type View, viewOfRoot } from "./view.ts";

export interface Transfers {
  readonly jobs: readonly Job[];
  /** DRAM of every output that is not a state, by name. */
  readonly ports: ReadonlyMap<string, Root>;
  /** Roots that may be computed right in an output's DRAM if they do not stay in SRAM, with the jobs that store them. */
  readonly inPlace: ReadonlyMap<Root, { readonly port: Root; readonly jobs: readonly Job[] }>;
}

/** A port's own memory: contiguous, of the value's shape. */
function portOf(name: string, view: View): Root {
  const bytes = (elementsOf(view.shape) * view.root.bytes) / elementsOf(view.root.shape);
  return { name, dtype: view.root.dtype, shape: view.shape, bytes, kind: "output" };
}

/**
 * Inputs are loaded at once if they are small, else before their first reader. Outputs are stored as soon as they are
 * made; states at the end, when nobody reads the old ones any more.
 */
export function addTransfers(graph: Graph, lowered: Lowered, sramBytes: number): Transfers {
  const { inputs, results } = lowered;
  const named = (name: string) => ({ name, origin: [] as readonly string[] });
  const fed = new Map(graph.states.map((state) => [state.output, state]));
  const ports = new Map<string, Root>();
  const inPlace = new Map<Root, { port: Root; jobs: readonly Job[] }>();
  const before: Job[] = [...lowered.jobs];
  const ends: Job[] = [];
  const stores = new Map<Root, Job[]>();

  for (const name of new Set(graph.outputs)) {
    const view = results.get(name);
    if (!view || fed.has(name)) continue;
    const port = portOf(name, view);
    ports.set(name, port);
    const job = storeJob(named(name), view, viewOfRoot(port));
    stores.set(view.root, [...(stores.get(view.root) ?? []), job]);
    const whole = view.root.kind === "computed" && view.root.bytes === port.bytes && isContiguous(view);
    if (whole && !inPlace.has(view.root)) inPlace.set(view.root, { port, jobs: [job] });
  }
  for (const { input, output } of graph.states) {
    const view = results.get(output);
    const state = inputs.get(input);
    if (!view || !state || view.root === state) continue;
    let from = view;
    if (view.root.kind === "state") {
      // Another state's old codes: copied before anyone overwrites them.
      from = viewOfRoot({ ...portOf(`${output}/copy`, view), kind: "computed" });
      before.push(moveJob(named(output), view, from));
    }
    ends.push(storeJob(named(output), from, viewOfRoot(state)));
  }
  return { jobs: arrange(before, ends, stores, inputs, sramBytes), ports, inPlace };
}

function arrange(
  work: readonly Job[],
  ends: readonly Job[],
  stores: ReadonlyMap<Root, readonly Job[]>,
  inputs: ReadonlyMap<string, Root>,
  sramBytes: number,
): Job[] {
  const lastWriter = new Map<Root, number>();
  const firstReader = new Map<Root, number>();
  work.forEach((job, index) => {
    for (const { root } of outputsOf(job)) lastWriter.set(root, index);
    for (const { root } of inputsOf(job)) if (!firstReader.has(root)) firstReader.set(root, index);
  });
  // Outputs that are inputs or constants are read by their stores alone, when all work is done.
  const unmade = [...stores].filter(([root]) => !lastWriter.has(root));
  for (const job of [...unmade.flatMap(([, jobs]) => jobs), ...ends]) {
    for (const { root } of inputsOf(job)) if (!firstReader.has(root)) firstReader.set(root, work.length);
  }
  const loadsAt = new Map<number, Job[]>();
  const used = [...inputs].filter(([, root]) => firstReader.has(root));
  const bytes = used.reduce((sum, [, root]) => sum + root.bytes, 0);
  used.sort((a, b) => (firstReader.get(a[1]) ?? 0) - (firstReader.get(b[1]) ?? 0));
  for (const [name, root] of used) {
    // What is written into a state before it is read must be in it.
    const early = bytes <= sramBytes / 8 && work.length > 0 && !lastWriter.has(root);
    const at = early ? 0 : (firstReader.get(root) ?? 0);
    const job = loadJob({ name, origin: [] }, viewOfRoot(root), viewOfRoot(root));
    loadsAt.set(at, [...(loadsAt.get(at) ?? []), job]);
  }
  const arranged: Job[] = [];
  work.forEach((job, index) => {
    arranged.push(...(loadsAt.get(index) ?? []), job);
    for (const { root } of outputsOf(job))
      if (lastWriter.get(root) === index) arranged.push(...(stores.get(root) ?? []));
  });
  arranged.push(...(loadsAt.get(work.length) ?? []));
  for (const [, jobs] of unmade) arranged.push(...jobs);
  return [...arranged, ...ends];
}
