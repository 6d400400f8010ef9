import { forgetLost, renameReads } from "../../src/ir/edit.ts";
import {
  EMPTY_ATTRS,
  freshName,
  type Graph,
  graphAttr,
  type Node,
  subgraphs,
  type Tensor,
  type Type,
} from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { namesOf } from "../../src/ir/uses.ts";
import type { Pass } from "../../src/pass.ts";

/** A branch as nodes, constants and types of the graph around it. */
interface Inlined {
  readonly nodes: Node[];
  readonly constants: Map<string, Tensor>;
  readonly types: Map<string, Type>;
}

function takenBranch(node: Node, graph: Graph): Graph | undefined {
  if (node.op !== "If" || node.domain !== "" || graph.inputs.includes(node.inputs[0])) return undefined;
  const condition = graph.constants.get(node.inputs[0]);
  if (condition === undefined) return undefined;
  return graphAttr(node, numbersOf(condition)[0] ? "then_branch" : "else_branch");
}

/** What the branch itself makes; names from around it are left alone. */
function inline(node: Node, branch: Graph, taken: Set<string>): Inlined {
  const made = new Set([...branch.constants.keys(), ...branch.nodes.flatMap((inner) => inner.outputs)]);
  made.delete("");
  const names = new Map<string, string>();
  const copies: Node[] = [];
  for (const [place, inner] of branch.outputs.entries()) {
    const outer = node.outputs[place] ?? "";
    if (outer === "") continue;
    if (made.has(inner) && !names.has(inner) && !branch.constants.has(inner)) names.set(inner, outer);
    else
      copies.push({
        op: "Identity",
        domain: "",
        inputs: [inner],
        outputs: [outer],
        attrs: EMPTY_ATTRS,
        origin: node.origin,
      });
  }
  for (const name of made) {
    if (names.has(name)) continue;
    const fresh = freshName(name, taken);
    taken.add(fresh);
    names.set(name, fresh);
  }
  const rename = (name: string): string => names.get(name) ?? name;
  const nodes = [...branch.nodes, ...copies].map((inner): Node => {
    const outputs = branch.nodes.includes(inner) ? inner.outputs.map(rename) : inner.outputs;
    const origin = inner.origin.length > 0 ? inner.origin : node.origin;
    return { ...renameReads(inner, names), outputs, origin };
  });
  const renamed = <T>(map: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...map].map(([name, item]) => [rename(name), item]));
  return { nodes, constants: renamed(branch.constants), types: renamed(branch.types) };
}

/** When the condition is known, the branch that is taken is a part of the graph around it, and the other one is nothing. */
const pass: Pass = {
  summary: "Replaces an If whose condition is constant by the branch that is taken.",
  run(graph) {
    if (!graph.nodes.some((node) => takenBranch(node, graph))) return graph;
    // A branch's names may stay as they are, unless something outside both branches has them.
    const others = graph.nodes.filter((node) => takenBranch(node, graph) === undefined);
    const taken = namesOf({ ...graph, nodes: others });
    for (const node of graph.nodes) for (const name of node.outputs) taken.add(name);
    const constants = new Map(graph.constants);
    const types = new Map(graph.types);
    const nodes = graph.nodes.flatMap((node) => {
      const branch = takenBranch(node, graph);
      if (branch === undefined) return [node];
      const inlined = inline(node, branch, taken);
      for (const inner of inlined.nodes) for (const [, nested] of subgraphs(inner)) namesOf(nested, taken);
      for (const [name, tensor] of inlined.constants) constants.set(name, tensor);
      for (const [name, type] of inlined.types) types.set(name, type);
      return inlined.nodes;
    });
    return forgetLost(graph, { ...graph, nodes, constants, types });
  },
};

export default pass;
