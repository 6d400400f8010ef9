/** The graph without some of its units: weights physically smaller, and what names sizes said anew. */

import { removeDead } from "../ir/edit.ts";
import { attrs, freshName, type Graph, intAttr, type Node, type Tensor } from "../ir/graph.ts";
import { allocate, int64, numbersOf, stridesOf, valuesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { inferTypes } from "../ops/infer.ts";
import type { Units } from "./units.ts";

/** What stays computes what it computed before, as if the weights that read the dropped units were zeros. */
export function sliceUnits(units: Units, dropped: ReadonlySet<number>): Graph {
  const { graph } = units;
  if (dropped.size === 0) return graph;
  const constants = new Map<string, Tensor>();
  for (const [name, tensor] of graph.constants) {
    let sliced = tensor;
    for (let axis = 0; axis < tensor.shape.length; axis++) {
      const kept = units.keptAlong(name, axis, dropped);
      if (kept !== undefined) sliced = taken(sliced, axis, kept);
    }
    constants.set(name, sliced);
  }
  const names = namesOf(graph);
  const add = (hint: string, tensor: Tensor): string => {
    const name = freshName(hint, names);
    names.add(name);
    constants.set(name, tensor);
    return name;
  };
  const nodes = graph.nodes.map((node) => resized(node, units, dropped, add));
  const types = new Map(graph.inputs.flatMap((name) => [[name, graph.types.get(name)] as const]));
  const known = new Map([...types].flatMap(([name, type]) => (type === undefined ? [] : [[name, type] as const])));
  return inferTypes(removeDead({ ...graph, nodes, constants, types: known }));
}

/** The given indices of an axis, in their order. */
export function taken(tensor: Tensor, axis: number, kept: readonly number[]): Tensor {
  if (tensor.dtype === "string") return tensor;
  const values = valuesOf(tensor);
  const shape = tensor.shape.with(axis, kept.length);
  const inner = stridesOf(tensor.shape)[axis];
  const outer = tensor.shape.slice(0, axis).reduce((product, size) => product * size, 1);
  const data = allocate(tensor.dtype, outer * kept.length * inner);
  for (let block = 0; block < outer; block++) {
    for (const [to, from] of kept.entries()) {
      const start = (block * tensor.shape[axis] + from) * inner;
      const part = values.subarray(start, start + inner);
      (data as Float32Array).set(part as Float32Array, (block * kept.length + to) * inner);
    }
  }
  return { ...tensor, shape, data };
}

type Add = (hint: string, tensor: Tensor) => string;

/** The node as the smaller shapes want it. */
function resized(node: Node, units: Units, dropped: ReadonlySet<number>, add: Add): Node {
  const countOf = (value: string, axis: number): { now: number; before: number } => {
    const shape = units.graph.constants.get(value)?.shape ?? units.graph.types.get(value)?.shape ?? [];
    const before = Number(shape[axis]);
    return { before, now: units.keptAlong(value, axis, dropped)?.length ?? before };
  };
  const withGroups = (name: string, value: string): Node => {
    const { now, before } = countOf(value, 1);
    if (now === before) return node;
    const groups = (intAttr(node, name, 1) * now) / before;
    return { ...node, attrs: new Map([...node.attrs, ...attrs({ [name]: { i: groups } })]) };
  };
  switch (node.op) {
    case "Conv":
    case "ConvTranspose":
      return intAttr(node, "group", 1) === 1 ? node : withGroups("group", node.inputs[0]);
    case "GroupNormalization":
      return withGroups("num_groups", node.inputs[0]);
    case "Reshape": {
      const shape = units.graph.constants.get(node.inputs[1]);
      if (shape === undefined) return node;
      const before = numbersOf(shape);
      const now = before.map((size, axis) => (size > 0 ? countOf(node.outputs[0], axis).now : size));
      if (now.every((size, axis) => size === before[axis])) return node;
      return { ...node, inputs: [node.inputs[0], add(node.inputs[1], int64([now.length], now))] };
    }
    case "Split": {
      const rank = units.graph.types.get(node.inputs[0])?.shape?.length ?? 0;
      const axis = (intAttr(node, "axis", 0) + rank) % rank;
      const sizes = node.outputs.map((name) => countOf(name, axis));
      if (sizes.every(({ now, before }) => now === before)) return node;
      const split = int64(
        [sizes.length],
        sizes.map(({ now }) => now),
      );
      const rest = new Map([...node.attrs].filter(([name]) => name !== "num_outputs"));
      return { ...node, inputs: [node.inputs[0], add(`${node.outputs[0]}/split`, split)], attrs: rest };
    }
    default:
      return node;
  }
}
