import { forgetLost, type GraphView, viewOf } from "../../src/ir/edit.ts";
import {
  EMPTY_ATTRS,
  elementCount,
  freshName,
  type Graph,
  isStatic,
  type Node,
  type Tensor,
} from "../../src/ir/graph.ts";
import { int64, numbersOf } from "../../src/ir/tensor.ts";
import { namesOf, readsOf } from "../../src/ir/uses.ts";
import type { Pass } from "../../src/pass.ts";

const RESHAPERS: ReadonlySet<string> = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze"]);
/** Over axes of size 1 these return what they read. */
const REDUCERS: ReadonlySet<string> = new Set(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"]);

function isReshaper(node: Node | undefined, view: GraphView): node is Node {
  if (node === undefined || node.domain !== "") return false;
  if (RESHAPERS.has(node.op)) return true;
  const [from, to] = [view.type(node.inputs[0])?.shape, view.type(node.outputs[0])?.shape];
  return REDUCERS.has(node.op) && isStatic(from) && isStatic(to) && elementCount(from) === elementCount(to);
}

/** Already a Reshape to exactly this constant shape. */
function isCanonical(node: Node, shape: readonly number[], constant: (name: string) => Tensor | undefined): boolean {
  const given = node.op === "Reshape" ? constant(node.inputs[1]) : undefined;
  return given !== undefined && node.attrs.size === 0 && String(numbersOf(given)) === String(shape);
}

/**
 * Reshape, Flatten, Squeeze and Unsqueeze all keep the elements' order and only name another shape: each can be a Reshape
 * to a constant shape, and of several in a row only the last one counts. So does a reduction over axes of size 1.
 */
const pass: Pass = {
  summary: "Turns Flatten, Squeeze and Unsqueeze into Reshape, and merges reshapes in a row.",
  run(graph: Graph): Graph {
    const view = viewOf(graph);
    const names = namesOf(graph);
    const constants = new Map(graph.constants);
    const rewritten = new Map<string, Node>();
    let changed = false;
    const nodes = graph.nodes.map((node) => {
      const shape = view.type(node.outputs[0])?.shape;
      // In a Reshape's shape 0 means "as before": an empty tensor cannot be said.
      if (!isReshaper(node, view) || !isStatic(shape) || shape.includes(0)) return node;
      const before = rewritten.get(node.inputs[0]) ?? view.producer(node.inputs[0]);
      const merges = isReshaper(before, view) && view.type(before.outputs[0])?.quant === undefined;
      if (!merges && isCanonical(node, shape, (name) => constants.get(name))) return node;
      changed = true;
      const name = freshName(`${node.outputs[0]}_shape`, names);
      names.add(name);
      constants.set(name, int64([shape.length], shape));
      const source = merges ? before.inputs[0] : node.inputs[0];
      const origin =
        merges && view.uses(before.outputs[0]) === 1
          ? [...new Set([...before.origin, ...node.origin])].sort()
          : node.origin;
      const merged: Node = { ...node, op: "Reshape", inputs: [source, name], attrs: EMPTY_ATTRS, origin };
      rewritten.set(node.outputs[0], merged);
      return merged;
    });
    if (!changed) return graph;
    return forgetLost(graph, { ...graph, nodes: withoutUnread(nodes, graph, view), constants });
  },
};

/** Reshapes that somebody read before and nobody reads now. */
function withoutUnread(nodes: readonly Node[], graph: Graph, view: GraphView): Node[] {
  const reads = new Set([...graph.outputs, ...graph.states.map((state) => state.output)]);
  const kept: Node[] = [];
  for (const node of [...nodes].reverse()) {
    const [output] = node.outputs;
    if (isReshaper(node, view) && view.uses(output) > 0 && !reads.has(output)) continue;
    kept.push(node);
    for (const name of readsOf(node)) reads.add(name);
  }
  return kept.reverse();
}

export default pass;
