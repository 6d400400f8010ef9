/** Memory for time: values of the forward pass that the way back makes again instead of keeping. */
import { renameReads } from "../ir/edit.ts";
import { byteSize, isStatic, type Node } from "../ir/graph.ts";
import { int64, scalar } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { freshIn, type Workshop } from "./build.ts";

/** Numbers of segments that are tried. */
const MOST_SEGMENTS = 32;

interface Step {
  readonly forward: readonly Node[];
  readonly backward: readonly Node[];
  readonly workshop: Workshop;
  /** Inputs and values that carry data: what else is read from outside are weights, and costs nothing to keep. */
  readonly inputs: ReadonlySet<string>;
  /** Given out, so kept in any case. */
  readonly kept: ReadonlySet<string>;
}

/**
 * The nodes of a step that keeps of its forward pass only what crosses from one segment to the next, and the last segment
 * whole. Before the way back enters a segment, that segment's nodes run again (Chen et al. 2016, with segments cut where little
 * crosses, and as many as leave the least: what crosses plus the largest segment). A copy of a node reads through a Reshape whose
 * shape hangs on all that the way back has made so far and still needs, weight gradients among it: so no runtime takes it for the node that it repeats,
 * runs it early, or puts off what would free the segment before. The numbers are the same; nothing is changed where keeping all takes the least.
 */
export function recomputed(step: Step): Node[] {
  const { forward, backward, workshop } = step;
  const nodes = [...forward];
  const plan = planOf(step);
  if (plan === undefined) return [...nodes, ...backward];
  const { segmentOf, crosses, last } = plan;
  const made = new Map(forward.flatMap((node, at) => node.outputs.map((name) => [name, at] as const)));
  const again = new Map<string, string>();
  const done = new Set<number>();
  const needed = new Map(backward.flatMap((node, at) => readsOf(node).map((name) => [name, at] as const)));
  let fresh: string[] = [];
  for (const [place, node] of backward.entries()) {
    for (const name of readsOf(node)) {
      const at = made.get(name);
      if (at === undefined || crosses.has(name)) continue;
      const segment = segmentOf[at];
      if (segment === last || done.has(segment)) continue;
      done.add(segment);
      const wanted = wantedOf(step, plan, made, segment);
      const alive = fresh.filter((each) => (needed.get(each) ?? -1) >= place);
      nodes.push(...copies(step, wanted, made, alive, again));
      fresh = [];
    }
    nodes.push(renameReads(node, again));
    fresh.push(...node.outputs);
  }
  for (const [name, copy] of again) {
    const type = workshop.types.get(name);
    if (type !== undefined) workshop.types.set(copy, type);
  }
  return nodes;
}

interface Plan {
  /** By the place of a forward node. */
  readonly segmentOf: readonly number[];
  /** What is kept: read by a later segment, or given out. */
  readonly crosses: ReadonlySet<string>;
  readonly last: number;
}

/** Where to cut; undefined where keeping everything takes the least. */
function planOf(step: Step): Plan | undefined {
  const { forward, backward, workshop, kept } = step;
  const readBack = new Set(backward.flatMap(readsOf));
  const lastRead = new Map<string, number>();
  for (const [at, node] of forward.entries()) for (const name of readsOf(node)) lastRead.set(name, at);
  const bytesOf = (name: string): number => {
    const type = workshop.types.get(name);
    return type !== undefined && isStatic(type.shape) ? byteSize(type.dtype, type.shape) : 0;
  };
  // Bytes that the way back reads of each node, and those alive across each boundary behind a node.
  const own = forward.map(({ outputs }) => sum(outputs.filter((name) => readBack.has(name)).map(bytesOf)));
  const alive = new Float64Array(forward.length);
  for (const [at, { outputs }] of forward.entries()) {
    for (const name of outputs) {
      const end = lastRead.get(name) ?? at;
      for (let boundary = at; boundary < end; boundary++) alive[boundary] += bytesOf(name);
    }
  }
  const whole = sum(own);
  let best: { readonly plan: Plan; readonly peak: number } | undefined;
  for (let count = 2; count <= MOST_SEGMENTS; count++) {
    const segmentOf = segments(own, alive, whole / count);
    const last = segmentOf.at(-1) ?? 0;
    const crosses = new Set(kept);
    const inside = new Float64Array(last + 1);
    let across = 0;
    for (const [at, { outputs }] of forward.entries()) {
      for (const name of outputs) {
        if (segmentOf[lastRead.get(name) ?? at] > segmentOf[at]) {
          crosses.add(name);
          across += bytesOf(name);
        } else if (readBack.has(name)) inside[segmentOf[at]] += bytesOf(name);
      }
    }
    const peak = across + Math.max(...inside);
    if (peak < (best?.peak ?? whole)) best = { plan: { segmentOf, crosses, last }, peak };
  }
  return best?.plan;
}

/** Segments of about `target` bytes each, cut in their second half where the fewest bytes cross. */
function segments(own: readonly number[], alive: Float64Array, target: number): number[] {
  const segmentOf: number[] = [];
  for (let [start, segment] = [0, 0]; start < own.length; segment++) {
    let [bytes, cut] = [0, own.length - 1];
    let least = Number.POSITIVE_INFINITY;
    for (let at = start; at < own.length && bytes < target; at++) {
      bytes += own[at];
      if (bytes >= target / 2 && alive[at] <= least) [cut, least] = [at, alive[at]];
    }
    // What is left fits into this segment.
    if (bytes < target) cut = own.length - 1;
    while (segmentOf.length <= cut) segmentOf.push(segment);
    start = cut + 1;
  }
  return segmentOf;
}

/** Nodes of a segment, in their order, that make what the way back reads of it. */
function wantedOf({ forward, backward }: Step, plan: Plan, made: ReadonlyMap<string, number>, segment: number): Node[] {
  const wanted = new Set<number>();
  const want = (name: string): void => {
    const at = made.get(name);
    if (at !== undefined && plan.segmentOf[at] === segment && !plan.crosses.has(name)) wanted.add(at);
  };
  for (const node of backward) for (const name of readsOf(node)) want(name);
  for (let at = forward.length - 1; at >= 0; at--)
    if (wanted.has(at)) for (const name of readsOf(forward[at])) want(name);
  return forward.filter((_, at) => wanted.has(at));
}

/** The nodes once more under other names, reading what comes from outside them behind a guard. */
function copies(
  { workshop, inputs }: Step,
  wanted: readonly Node[],
  made: ReadonlyMap<string, number>,
  before: readonly string[],
  again: Map<string, string>,
): Node[] {
  const nodes: Node[] = [];
  const from = wanted[0];
  const emit = (op: string, read: readonly string[], hint: string): string => {
    const output = freshIn(workshop, hint);
    nodes.push({ op, domain: "", inputs: read, outputs: [output], attrs: new Map(), origin: from.origin });
    return output;
  };
  const constant = (hint: string, tensor: Parameters<Workshop["constants"]["set"]>[1]): string => {
    const name = freshIn(workshop, hint);
    workshop.constants.set(name, tensor);
    return name;
  };
  const counted = before.flatMap((name): [string, number][] => {
    const shape = workshop.types.get(name)?.shape;
    return isStatic(shape) ? [[name, shape.reduce((product, size) => product * size, 1)]] : [];
  });
  // How many elements they have, less how many they have: 0, which nobody knows before they are there.
  let zero: string | undefined;
  if (counted.length > 0) {
    const sizes = counted.map(([name]) => emit("Size", [name], "again/size"));
    const total = sizes.reduce((sofar, size) => emit("Add", [sofar, size], "again/sizes"));
    const known = constant("again/count", scalar("int64", sum(counted.map(([, count]) => count))));
    zero = emit("Sub", [total, known], "again/zero");
  }
  const guards = new Map<string, string>();
  const guarded = (name: string): string => {
    const shape = workshop.types.get(name)?.shape;
    const carriesData = made.has(name) || inputs.has(name);
    if (zero === undefined || !carriesData || !isStatic(shape) || shape.length === 0) return name;
    const found = guards.get(name);
    if (found !== undefined) return found;
    const known = constant(`${name}/shape`, int64([shape.length], shape));
    const guard = emit("Reshape", [name, emit("Add", [known, zero], `${name}/shape`)], `${name}/again`);
    guards.set(name, guard);
    return guard;
  };
  const inside = new Map<string, string>();
  for (const node of wanted) {
    for (const name of readsOf(node)) if (!inside.has(name)) guarded(name);
    const names = new Map([...guards, ...inside]);
    const outputs = node.outputs.map((name) => {
      if (name === "") return name;
      const copy = freshIn(workshop, `${name}/again`);
      inside.set(name, copy);
      return copy;
    });
    nodes.push({ ...renameReads(node, names), outputs });
  }
  for (const [name, copy] of inside) again.set(name, copy);
  return nodes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
