import { forgetLost } from "./edit.ts";
import { type Attr, attrs, freshName, type Graph, type Node, type Tensor } from "./graph.ts";
import { int64 } from "./tensor.ts";
import { namesOf } from "./uses.ts";

/**
 * Builds the nodes that a pass puts in place of one, by calls: `const sum = build.node("Add", [a, b])`. Constants are
 * added as they are named. Everything it makes has the origin of the node that gives way.
 */
export interface Builder {
  node(
    op: string,
    inputs: readonly (string | Tensor)[],
    attributes?: Readonly<Record<string, Attr>>,
    name?: string,
  ): string;
  /** A node with several outputs; "" for one that nobody wants. */
  nodes(
    op: string,
    inputs: readonly (string | Tensor)[],
    outputs: readonly string[],
    attributes?: Readonly<Record<string, Attr>>,
  ): void;
  reshape(value: string, shape: readonly number[], name?: string): string;
  slice(value: string, axis: number, start: number, end: number, name?: string): string;
}

/** Replaces the nodes for which `edit` builds something else and returns true. The same graph where none is. */
export function rebuild(graph: Graph, edit: (node: Node, build: Builder) => boolean): Graph {
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const nodes: Node[] = [];
  let changed = false;
  for (const node of graph.nodes) {
    const made: Node[] = [];
    const replaced = edit(node, builderFor(node, made, constants, names));
    nodes.push(...(replaced ? made : [node]));
    changed ||= replaced;
  }
  if (!changed) return graph;
  return forgetLost(graph, { ...graph, nodes, constants });
}

function builderFor(from: Node, made: Node[], constants: Map<string, Tensor>, names: Set<string>): Builder {
  const hint = from.outputs.find((name) => name !== "") ?? from.op;
  const fresh = (suffix: string): string => {
    const name = freshName(`${hint}/${suffix}`, names);
    names.add(name);
    return name;
  };
  const nameOf = (input: string | Tensor): string => {
    if (typeof input === "string") return input;
    const name = fresh("constant");
    constants.set(name, input);
    return name;
  };
  const push = (op: string, inputs: readonly (string | Tensor)[], outputs: readonly string[], entries = {}) => {
    made.push({ op, domain: "", inputs: inputs.map(nameOf), outputs, attrs: attrs(entries), origin: from.origin });
  };
  const node: Builder["node"] = (op, inputs, attributes, name = fresh(op.toLowerCase())) => {
    push(op, inputs, [name], attributes);
    return name;
  };
  return {
    node,
    nodes: push,
    reshape: (value, shape, name) => node("Reshape", [value, int64([shape.length], shape)], {}, name),
    slice: (value, axis, start, end, name) =>
      node("Slice", [value, int64([1], [start]), int64([1], [end]), int64([1], [axis])], {}, name),
  };
}
