import { type Dim, type Graph, graphAttr, logical, type Node, type Type } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { BOOL, makeType, reject, typeAt } from "./shared/types.ts";
import { scalarOf, tensorAt } from "./shared/values.ts";

function branch(node: Node, name: "then_branch" | "else_branch"): Graph {
  return graphAttr(node, name) ?? reject(node, `${name} is missing`);
}

/** What is known of a value that may come from either branch. */
function either(node: Node, a: Type, b: Type): Type {
  if (a.dtype !== b.dtype || a.container !== b.container) {
    reject(
      node,
      `one branch gives ${a.container ?? "tensor"} of ${a.dtype}, the other ${b.container ?? "tensor"} of ${b.dtype}`,
    );
  }
  const { container } = a;
  const known = a.shape && b.shape && a.shape.length === b.shape.length;
  const shape = known ? a.shape?.map((dim, axis): Dim => (dim === b.shape?.[axis] ? dim : "?")) : undefined;
  return container === undefined ? makeType(a.dtype, shape) : { ...makeType(a.dtype, shape), container };
}

/** Runs `then_branch` where the condition is true, else `else_branch`; both read values of the graphs around them. */
const op: Op = {
  hostOnly: "its branches differ in shape or do more than compute real numbers; a constant condition removes it",
  infer(node, inputs, context) {
    typeAt(node, inputs, 0, BOOL);
    const condition = context.constant(0);
    if (condition) return context.subgraph(branch(node, scalarOf(node, condition) ? "then_branch" : "else_branch"), []);
    const yes = context.subgraph(branch(node, "then_branch"), []).map(logical);
    const no = context.subgraph(branch(node, "else_branch"), []).map(logical);
    if (yes.length !== no.length) reject(node, `the branches give ${yes.length} and ${no.length} values`);
    return yes.map((type, index) => either(node, type, no[index]));
  },
  evaluate(node, inputs, context) {
    const chosen = scalarOf(node, tensorAt(node, inputs, 0)) ? "then_branch" : "else_branch";
    return context.subgraph(branch(node, chosen), []);
  },
};

export default op;
