import { bug, CompileError } from "../error.ts";
import {
  type Graph,
  intAttr,
  intsAttr,
  makeGraph,
  type Node,
  subgraphs,
  type Tensor,
  type Type,
  typeOf,
} from "../ir/graph.ts";
import { print } from "../ir/text.ts";
import type { Placed } from "../target/placement.ts";
import { type CpuJob, type Job, nameOf, required, type TileJob } from "./job.ts";
import { eltwiseJob, scaleJob, tableJob } from "./jobs/elementwise.ts";
import { convJob, convPart, deconvJob, type MappedPart, matMulJob } from "./jobs/linear.ts";
import { gatherJob, loadJob, moveJob, padJobs, scatterJob, storeJob } from "./jobs/move.ts";
import { nibbleJob } from "./jobs/nibbles.ts";
import { normJob, poolJob, reduceJob, softmaxJob } from "./jobs/rows.ts";
import { Roots, slicedView } from "./roots.ts";
import {
  broadcastView,
  elementsOf,
  isContiguous,
  permuteView,
  type Root,
  reshapeView,
  sliceView,
  type View,
  viewOfRoot,
} from "./view.ts";

/** A gather from a table larger than this many bytes fetches rows from DRAM instead of loading the table. */
const LARGE_TABLE = 65_536;

export interface Lowered {
  readonly jobs: readonly Job[];
  readonly byNode: ReadonlyMap<Node, readonly Job[]>;
  /** Inputs and states by name. */
  readonly inputs: ReadonlyMap<string, Root>;
  /** Graph outputs and fed-back values: what must be in DRAM after a run. */
  readonly results: ReadonlyMap<string, View>;
}

/** The graph as jobs on views: aliases are resolved, whatever remains is work. `mappings`: how each Conv is mapped. */
export function lowerGraph(
  graph: Graph,
  placed: readonly Placed[],
  mappings: ReadonlyMap<Node, readonly MappedPart[]>,
): Lowered {
  const onCpu = new Set(placed.filter(({ where }) => where === "cpu").map(({ node }) => node));
  const roots = new Roots(graph, (node) => !onCpu.has(node));
  const jobs: Job[] = [];
  const byNode = new Map<Node, readonly Job[]>();
  for (const node of graph.nodes) {
    const own = onCpu.has(node) ? [cpuJob(node, graph, roots)] : chipJobs(node, graph, roots, mappings);
    byNode.set(node, own);
    jobs.push(...own);
  }
  const inputs = new Map<string, Root>();
  for (const name of graph.inputs) inputs.set(name, required(roots.view(name), name).root);
  const results = new Map<string, View>();
  for (const name of [...graph.outputs, ...graph.states.map(({ output }) => output)])
    results.set(name, required(roots.view(name), name));
  return { jobs, byNode, inputs, results };
}

function chipJobs(
  node: Node,
  graph: Graph,
  roots: Roots,
  mappings: ReadonlyMap<Node, readonly MappedPart[]>,
): TileJob[] {
  const [output] = node.outputs;
  const views = node.inputs.map((name) => roots.view(name));
  const named = { name: nameOf(node), origin: node.origin };
  const first = () => required(views[0], `${named.name} input 0`);
  const copyUnless = (view: View | undefined): TileJob[] => {
    if (view !== undefined && !roots.isPlaced(output)) {
      roots.alias(output, view);
      return [];
    }
    return [moveJob(named, view ?? bug("a view is missing"), roots.home(output))];
  };
  switch (node.op) {
    case "Reshape": {
      const shape = required(intsAttr(node, "shape"), "shape");
      const view = reshapeView(first(), shape);
      if (view) return copyUnless(view);
      // Strides cannot say it: copy to a tensor of the old shape, which can then be seen as the new one.
      const home = roots.home(output);
      return [moveJob(named, first(), required(reshapeView(home, first().shape), "copy"))];
    }
    case "Slice": {
      const view = slicedView(node, first());
      const last = view.shape.length - 1;
      if (last < 0 || view.strides[last] === 1 || view.shape[last] === 1) return copyUnless(view);
      return [moveJob(named, view, roots.home(output))];
    }
    case "Transpose": {
      const { shape } = first();
      const order = intsAttr(node, "perm") ?? shape.map((_, axis) => shape.length - 1 - axis);
      const long = order.filter((axis) => shape[axis] !== 1);
      const view = permuteView(first(), order);
      if (long.every((axis, at) => at === 0 || long[at - 1] < axis)) {
        return copyUnless(reshapeView(first(), view.shape) ?? view);
      }
      return [moveJob(named, view, roots.home(output))];
    }
    case "Expand": {
      const home = roots.home(output);
      return [moveJob(named, broadcastView(first(), home.shape), home)];
    }
    case "Cast":
      return [moveJob(named, first(), roots.home(output))];
    case "Concat":
      return concatJobs(node, views, roots);
    case "Pad":
      return padJobs(node, first(), roots.home(output));
    case "Gather":
      return gatherJobs(node, graph, roots);
    case "TensorScatter":
      return scatterJobs(node, graph, roots);
    case "Conv":
      return convJobs(node, views, roots.home(output), mappings);
    case "ConvTranspose":
      return [deconvJob(node, views, roots.home(output))];
    case "MatMul":
      return [matMulJob(node, views, roots.home(output))];
    case "Add":
    case "Mul":
    case "Max":
    case "Min":
      return [eltwiseJob(node, views, roots.home(output))];
    case "Rescale":
      return [scaleJob(node, views, roots.home(output))];
    case "PackNibbles":
    case "UnpackNibbles":
      return [nibbleJob(node, first(), roots.home(output))];
    case "Table":
      return [tableJob(node, views, roots.home(output))];
    case "MaxPool":
    case "AveragePool":
      return [poolJob(node, views, roots.home(output))];
    case "ReduceSum":
    case "ReduceL2":
    case "ReduceMargin":
    case "ReduceMax":
    case "ReduceMin":
      return [reduceJob(node, views, roots.home(output))];
    case "Softmax":
      return [softmaxJob(node, views, roots.home(output))];
    case "LayerNorm":
      return [normJob(node, views, roots.home(output))];
    default:
      return bug(`npu.${node.op} was placed on the chip but has no job`);
  }
}

function convJobs(
  node: Node,
  views: readonly (View | undefined)[],
  home: View,
  mappings: ReadonlyMap<Node, readonly MappedPart[]>,
): TileJob[] {
  const parts = mappings.get(node);
  if (!parts) return [convJob(node, views, home, { mapping: "dense", block: 1 })];
  return parts.map((part) => convPart(node, views, home, part));
}

/** Parts that could not be computed in place are copied there. */
function concatJobs(node: Node, views: readonly (View | undefined)[], roots: Roots): TileJob[] {
  const whole = roots.home(node.outputs[0]);
  const axis = (intAttr(node, "axis", 0) + whole.shape.length) % whole.shape.length;
  const jobs: TileJob[] = [];
  let start = 0;
  for (const view of views) {
    const part = required(view, "part");
    const size = part.shape[axis];
    const place = sliceView(whole, axis, start, size, 1);
    const inPlace =
      part.root === place.root && part.offset === place.offset && part.shape.length === place.shape.length;
    if (!inPlace) jobs.push(moveJob({ name: nameOf(node), origin: node.origin }, part, place));
    start += size;
  }
  return jobs;
}

/** A contiguous copy of a view, where a reshape needs one. */
function compacted(view: View, name: string, origin: readonly string[]): { view: View; jobs: TileJob[] } {
  if (isContiguous(view)) return { view, jobs: [] };
  const { dtype } = view.root;
  const bytes = (elementsOf(view.shape) * view.root.bytes) / elementsOf(view.root.shape);
  const copy = viewOfRoot({ name: `${name}/compact`, dtype, shape: view.shape, bytes, kind: "computed" });
  return { view: copy, jobs: [moveJob({ name, origin }, view, copy)] };
}

/** Gather as [outer, axis, inner]; a constant table that is large stays in DRAM. */
function gatherJobs(node: Node, graph: Graph, roots: Roots): TileJob[] {
  const name = nameOf(node);
  const x = compacted(required(roots.view(node.inputs[0]), "x"), name, node.origin);
  const indices = compacted(required(roots.view(node.inputs[1]), "indices"), name, node.origin);
  const { shape } = x.view;
  const axis = (intAttr(node, "axis", 0) + shape.length) % shape.length;
  const outer = elementsOf(shape.slice(0, axis));
  const inner = elementsOf(shape.slice(axis + 1));
  const count = elementsOf(indices.view.shape);
  const cube = required(reshapeView(x.view, [outer, shape[axis], inner]), "x");
  const list = required(reshapeView(indices.view, [count]), "indices");
  const output = required(reshapeView(roots.home(node.outputs[0]), [outer, count, inner]), "y");
  const large = graph.constants.has(node.inputs[0]) && x.view.root.bytes > LARGE_TABLE && count < shape[axis];
  return [...x.jobs, ...indices.jobs, gatherJob(node, cube, list, output, large)];
}

/**
 * Rows written into a state that nobody else reads: they go right to its DRAM, and the rest of it stays as it is. Any other
 * past is copied there first.
 */
function scatterJobs(node: Node, graph: Graph, roots: Roots): TileJob[] {
  const [past, , indices] = node.inputs;
  const named = { name: nameOf(node), origin: node.origin };
  const update = compacted(required(roots.view(node.inputs[1]), "update"), named.name, node.origin);
  const list = compacted(required(roots.view(indices), "indices"), named.name, node.origin);
  const before = required(roots.view(past), "past");
  const isOwn = graph.states.some(({ input, output }) => input === past && output === node.outputs[0]);
  const inPlace = isOwn && roots.uses(past) === 1 && !roots.isPlaced(node.outputs[0]);
  const { dtype, shape, bytes } = before.root;
  const length = (bytes / elementsOf(shape)) * elementsOf(before.shape);
  const cache = inPlace
    ? before
    : viewOfRoot({ name: `${node.outputs[0]}/cache`, dtype, shape: before.shape, bytes: length, kind: "state" });
  const axis = (intAttr(node, "axis", -2) + cache.shape.length) % cache.shape.length;
  const cube = (view: View, what: string) => {
    const given = view.shape;
    const sides = [given[0], elementsOf(given.slice(1, axis)), given[axis], elementsOf(given.slice(axis + 1))];
    return required(reshapeView(view, sides), what);
  };
  const rows = required(reshapeView(list.view, [cache.shape[0]]), "indices");
  const scatter = scatterJob(node, cube(update.view, "update"), rows, cube(cache, "cache"));
  const jobs = [...update.jobs, ...list.jobs];
  if (inPlace) {
    roots.alias(node.outputs[0], cache);
    return [...jobs, scatter];
  }
  jobs.push(storeJob(named, before, cache), scatter, loadJob(named, cache, cache));
  if (roots.isPlaced(node.outputs[0])) return [...jobs, moveJob(named, cache, roots.home(node.outputs[0]))];
  roots.alias(node.outputs[0], cache);
  return jobs;
}

/** Names that a node's subgraphs take from outside. */
function captured(node: Node): Set<string> {
  const names = new Set<string>();
  const pending = subgraphs(node).map(([, graph]) => graph);
  for (let graph = pending.pop(); graph !== undefined; graph = pending.pop()) {
    const own = new Set([...graph.inputs, ...graph.constants.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)]);
    for (const inner of graph.nodes) {
      for (const name of inner.inputs) if (name !== "" && !own.has(name)) names.add(name);
      pending.push(...subgraphs(inner).map(([, deeper]) => deeper));
    }
    for (const name of graph.outputs) if (!own.has(name)) names.add(name);
  }
  return names;
}

/** The node as a graph of its own; constants arrive as inputs, so that the text stays short. */
function cpuJob(node: Node, graph: Graph, roots: Roots): CpuJob {
  const outer = [...captured(node)].filter((name) => roots.view(name) !== undefined);
  const inputs = [...new Set([...node.inputs.filter((name) => name !== ""), ...outer])];
  const outputs = node.outputs.filter((name) => name !== "");
  const types = new Map<string, Type>();
  for (const name of [...inputs, ...outputs]) types.set(name, typeOf(graph, name) ?? bug(`"${name}" has no type`));
  const alone = makeGraph({ inputs, outputs, nodes: [node], types, opsets: graph.opsets });
  return {
    kind: "cpu",
    name: nameOf(node),
    origin: node.origin,
    inputs: inputs.map((name) => required(roots.view(name), name)),
    outputs: outputs.map((name) => roots.home(name)),
    text: textOf(alone, node),
  };
}

/** The host gets text only: tensors too large for it cannot go along. */
function textOf(graph: Graph, node: Node): string {
  const tensors: Tensor[] = [];
  const text = print(graph, { tensors });
  if (tensors.length === 0) return text;
  throw new CompileError("model/cpu-fallback", `${node.op} holds large tensors among its attributes`, {
    where: nameOf(node),
    remedy: "make them constants of the graph, or rewrite the node with supported operators",
  });
}
